//! Counting and logging decisions: one line and one count each.

use std::fmt::Display;
use std::time::Instant;

use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry};

use crate::gate::Admitted;
use crate::gate::admitted::Refusal;
use crate::policy::{Decision, Mode, Verdict};

/// What the gate counts. Labels are names of rules and codes of reasons, never of images.
#[derive(Debug)]
pub(in crate::gate) struct Metrics {
    decisions: IntCounterVec,
    pub(in crate::gate) proving_seconds: Histogram,
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
        let metrics = Self {
            decisions: IntCounterVec::new(decisions, &["decision", "rule", "reason"])?,
            proving_seconds: Histogram::with_opts(proving)?,
        };
        registry.register(Box::new(metrics.decisions.clone()))?;
        registry.register(Box::new(metrics.proving_seconds.clone()))?;
        Ok(metrics)
    }

    pub(in crate::gate) fn decision<'a>(&'a self, image: &'a (dyn Display + Sync)) -> Deciding<'a> {
        Deciding { metrics: self, image, since: Instant::now() }
    }
}

impl Deciding<'_> {
    /// Counts and logs how it ended.
    pub(in crate::gate) fn made(&self, outcome: &Result<(Admitted, Verdict), Refusal>) {
        match outcome {
            Ok((admitted, verdict)) => self.admitted(admitted, verdict),
            Err(refusal) => self.refused(refusal),
        }
    }

    fn admitted(&self, admitted: &Admitted, verdict: &Verdict) {
        let (rule, code) = (verdict.rule.as_deref().unwrap_or_default(), code(verdict));
        self.count(Decision::Admit, rule, &code);
        let (image, digest, duration) = (self.image, admitted.digest(), self.since.elapsed());
        if verdict.mode == Some(Mode::Audit) && !code.is_empty() {
            tracing::warn!(%image, %digest, decision = "admit", rule, reason = code, ?duration, "would be refused");
        } else {
            tracing::info!(%image, %digest, decision = "admit", rule, ?duration, "decided");
        }
    }

    /// Counts and logs a refusal.
    pub(in crate::gate) fn refused(&self, refusal: &Refusal) {
        let (image, duration) = (self.image, self.since.elapsed());
        match refusal {
            Refusal::Denied(denial) => {
                let (rule, reason) = (denial.verdict.rule.as_deref().unwrap_or_default(), code(&denial.verdict));
                self.count(Decision::Refuse, rule, &reason);
                let (digest, text) = (denial.digest.map(tracing::field::display), denial.message());
                tracing::info!(%image, digest, decision = "refuse", rule, reason, ?duration, "{text}");
            }
            Refusal::NotFound { text, .. } => {
                self.count(Decision::Refuse, "", "not-found");
                tracing::info!(%image, decision = "refuse", reason = "not-found", ?duration, "{text}");
            }
            Refusal::Invalid { text } => {
                self.count(Decision::Refuse, "", "invalid");
                tracing::warn!(%image, decision = "refuse", reason = "invalid", ?duration, "{text}");
            }
            Refusal::Undecided { text, judged, .. } => {
                let rule = judged.as_ref().and_then(|judged| judged.verdict.rule.as_deref()).unwrap_or_default();
                self.count(Decision::Undecided, rule, "unavailable");
                tracing::warn!(%image, decision = "undecided", rule, reason = "unavailable", ?duration, "{text}");
            }
        }
    }

    fn count(&self, decision: Decision, rule: &str, reason: &str) {
        self.metrics.decisions.with_label_values(&[decision.to_string().as_str(), rule, reason]).inc();
    }
}

/// The code of the most telling reason; empty if every requirement is met.
fn code(verdict: &Verdict) -> String {
    verdict.most_telling().map(|(_, reason)| reason.code.to_string()).unwrap_or_default()
}
