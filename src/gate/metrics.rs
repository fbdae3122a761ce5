//! Counting and logging decisions: one line and one count each.

use std::fmt::Display;
use std::time::Instant;

use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry};

use crate::gate::Decided;
use crate::gate::admitted::Refusal;
use crate::oci::UpstreamName;
use crate::policy::{Mode, Verdict};

/// What the gate counts. Labels are names of rules and codes of reasons, never of images.
#[derive(Debug)]
pub(in crate::gate) struct Metrics {
    decisions: IntCounterVec,
    stale: IntCounterVec,
    pub(in crate::gate) proving_seconds: Histogram,
}

/// How a decision ended: the values of the label `decision`.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Admit,
    /// What was last admitted for the tag is served in place of what is not.
    LastAdmitted,
    Refuse,
    Undecided,
}

/// A decision under way.
pub(in crate::gate) struct Deciding<'a> {
    metrics: &'a Metrics,
    image: &'a (dyn Display + Sync),
    since: Instant,
}

impl Metrics {
    pub(in crate::gate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let decisions =
            Opts::new("bonafide_decisions_total", "Decisions about manifests and blobs, and refusals to list tags");
        let proving =
            HistogramOpts::new("bonafide_proving_seconds", "Time to collect and check the evidence of one digest")
                .buckets(vec![0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0]);
        let stale =
            Opts::new("bonafide_stale_tags_total", "Tags taken for what they meant while the upstream is not there");
        let metrics = Self {
            decisions: IntCounterVec::new(decisions, &["decision", "rule", "reason"])?,
            stale: IntCounterVec::new(stale, &["upstream"])?,
            proving_seconds: Histogram::with_opts(proving)?,
        };
        registry.register(Box::new(metrics.decisions.clone()))?;
        registry.register(Box::new(metrics.stale.clone()))?;
        registry.register(Box::new(metrics.proving_seconds.clone()))?;
        Ok(metrics)
    }

    /// Counts a tag that means what `upstream`, which cannot be asked, said last.
    pub(in crate::gate) fn stale(&self, upstream: &UpstreamName) {
        self.stale.with_label_values(&[upstream.as_str()]).inc();
    }

    pub(in crate::gate) fn decision<'a>(&'a self, image: &'a (dyn Display + Sync)) -> Deciding<'a> {
        Deciding { metrics: self, image, since: Instant::now() }
    }
}

impl Deciding<'_> {
    /// Counts and logs how it ended.
    pub(in crate::gate) fn made(&self, outcome: &Result<Decided, Refusal>) {
        match outcome {
            Ok(decided @ Decided { instead_of: None, .. }) => self.admitted(decided),
            Ok(decided @ Decided { instead_of: Some(refusal), .. }) => self.kept(decided, refusal),
            Err(refusal) => self.refused(refusal),
        }
    }

    fn admitted(&self, decided: &Decided) {
        let Decided { admitted, verdict, .. } = decided;
        let (rule, code) = (verdict.rule.as_deref().unwrap_or_default(), code(verdict));
        self.count(Outcome::Admit, rule, &code);
        let (image, digest) = (self.image, admitted.digest());
        if verdict.mode == Some(Mode::Audit) && !code.is_empty() {
            let duration = self.since.elapsed();
            tracing::warn!(%image, %digest, decision = "admit", rule, reason = code, ?duration, "would be refused");
        } else {
            tracing::info!(%image, %digest, decision = "admit", rule, duration = ?self.since.elapsed(), "decided");
        }
    }

    /// Somebody has to look: the tag does not mean what is served.
    fn kept(&self, decided: &Decided, refusal: &Refusal) {
        let (rule, reason) = (decided.verdict.rule.as_deref().unwrap_or_default(), reason(refusal));
        self.count(Outcome::LastAdmitted, rule, &reason);
        let (image, digest, duration) = (self.image, decided.admitted.digest(), self.since.elapsed());
        let decision = Outcome::LastAdmitted.label();
        tracing::warn!(%image, %digest, decision, rule, reason, ?duration, "{}", refusal.text());
    }

    /// Counts and logs a refusal.
    pub(in crate::gate) fn refused(&self, refusal: &Refusal) {
        let (image, duration, reason) = (self.image, self.since.elapsed(), reason(refusal));
        match refusal {
            Refusal::Denied(denial) => {
                let rule = denial.verdict.rule.as_deref().unwrap_or_default();
                self.count(Outcome::Refuse, rule, &reason);
                let (digest, text) = (denial.digest.map(tracing::field::display), denial.message());
                tracing::info!(%image, digest, decision = "refuse", rule, reason, ?duration, "{text}");
            }
            Refusal::NotFound { text, .. } => {
                self.count(Outcome::Refuse, "", &reason);
                tracing::info!(%image, decision = "refuse", reason, ?duration, "{text}");
            }
            Refusal::Invalid { text } => {
                self.count(Outcome::Refuse, "", &reason);
                tracing::warn!(%image, decision = "refuse", reason, ?duration, "{text}");
            }
            Refusal::Undecided { text, judged, .. } => {
                let rule = judged.as_ref().and_then(|judged| judged.verdict.rule.as_deref()).unwrap_or_default();
                self.count(Outcome::Undecided, rule, &reason);
                tracing::warn!(%image, decision = "undecided", rule, reason, ?duration, "{text}");
            }
        }
    }

    fn count(&self, outcome: Outcome, rule: &str, reason: &str) {
        self.metrics.decisions.with_label_values(&[outcome.label(), rule, reason]).inc();
    }
}

impl Outcome {
    const fn label(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::LastAdmitted => "last-admitted",
            Self::Refuse => "refuse",
            Self::Undecided => "undecided",
        }
    }
}

/// The label `reason` of a refusal.
fn reason(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Denied(denial) => code(&denial.verdict),
        Refusal::NotFound { .. } => "not-found".to_owned(),
        Refusal::Invalid { .. } => "invalid".to_owned(),
        Refusal::Undecided { .. } => "unavailable".to_owned(),
    }
}

/// The code of the most telling reason; empty if every requirement is met.
fn code(verdict: &Verdict) -> String {
    verdict.most_telling().map(|(_, reason)| reason.code.to_string()).unwrap_or_default()
}
