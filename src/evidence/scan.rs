//! Vulnerability scans: what a scanner found in an image, when, and with which database.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::evidence::Malformed;
use crate::evidence::list::AtMost;
use crate::evidence::strict::{read_checked, told};

/// Most findings of one report, counted as they are written: the worst images have some ten thousand.
const FINDINGS: usize = 65_536;
/// Most ratings of one finding: one for each scale, mostly.
const RATINGS: usize = 64;

/// A vulnerability scan, by cosign's predicate (`cosign.sigstore.dev/attestation/vuln/v1`) or in-toto's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scan {
    /// Which scanner, as a URI: `pkg:github/aquasecurity/trivy@0.50.0`.
    pub scanner: String,
    /// Its version.
    pub scanner_version: Option<String>,
    /// Where its database came from.
    pub database: Option<String>,
    /// The version of that.
    pub database_version: Option<String>,
    /// When the scan began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What it found, each once, the worst first. None: its report is of a kind that is not understood.
    pub findings: Option<Vec<Finding>>,
}

/// One vulnerability that a scanner found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Its name: `CVE-2024-1234`.
    pub id: String,
}

/// How bad a vulnerability is, the worst first. Scores are rated as CVSS v3.1 rates them (section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// 9.0 and more.
    Critical,
    /// 7.0 and more; Red Hat's `important`.
    High,
    /// 4.0 and more; `moderate` to Red Hat and GitHub.
    Medium,
    /// More than nothing.
    Low,
    /// Nothing to act on: `negligible`, `none`, 0.0.
    Negligible,
    /// Not said, or in words that are not known.
    Unknown,
}

impl Scan {
    /// How many findings there are of each severity; nothing where the report was not understood.
    pub fn counts(&self) -> Option<BTreeMap<Severity, usize>> {
        let mut counts = BTreeMap::new();
        for finding in self.findings.as_ref()? {
            *counts.entry(finding.severity).or_default() += 1;
        }
        Some(counts)
    }
}

#[derive(Deserialize)]
struct Predicate<'a> {
    #[serde(borrow)]
    scanner: Scanner<'a>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Scanner<'a> {
    uri: String,
    version: Option<String>,
    db: Option<Database>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Database {
    uri: Option<String>,
    version: Option<String>,
}

/// In-toto's v0.2 says `scanStartedOn` as cosign does; both have been seen without.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    scan_started_on: Option<Timestamp>,
    scan_finished_on: Option<Timestamp>,
}

/// Reads a predicate.
///
/// # Errors
/// [`Malformed`] if it is not of that shape, names no scanner, or has no report: an empty one would read as a clean one
/// (GHSA-w6c6-c85g-mmv6).
pub(in crate::evidence) fn read(json: &str) -> Result<Scan, Malformed> {
    let Predicate { scanner, metadata } = read_checked(json.as_bytes())?;
    if scanner.uri.is_empty() {
        return Err(Malformed::shape("a scan by no scanner"));
    }
    let (database, metadata) = (scanner.db.unwrap_or_default(), metadata.unwrap_or_default());
    let report = scanner.result.ok_or(Malformed::shape("a scan without a report"))?;
    Ok(Scan {
        scanner: scanner.uri,
        scanner_version: some(scanner.version),
        database: some(database.uri),
        database_version: some(database.version),
        started_at: told(metadata.scan_started_on),
        finished_at: told(metadata.scan_finished_on),
        findings: findings(report.get())?,
    })
}

fn some(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// The members by which reports are told apart.
#[derive(Deserialize)]
struct Shape<'a> {
    /// Trivy; without `Results` if it found nothing to look at.
    #[serde(rename = "SchemaVersion", borrow)]
    trivy: Option<&'a RawValue>,
    /// Grype.
    #[serde(rename = "matches", borrow)]
    grype: Option<&'a RawValue>,
    /// SARIF.
    #[serde(rename = "runs", borrow)]
    sarif: Option<&'a RawValue>,
}

/// What a report lists: in-toto's own list, else by the shape of the report. One that could be two of them is none.
fn findings(report: &str) -> Result<Option<Vec<Finding>>, Malformed> {
    if report.starts_with('[') {
        let listed: AtMost<Listed, FINDINGS> = read_checked(report.as_bytes())?;
        let findings = listed.of("findings")?.into_iter().map(Listed::finding);
        return sorted(findings.collect::<Result<Vec<_>, _>>()?).map(Some);
    }
    if !report.starts_with('{') {
        return Err(Malformed::shape("a scan whose report is none"));
    }
    let shape: Shape<'_> = read_checked(report.as_bytes())?;
    match (shape.trivy, shape.grype, shape.sarif) {
        (Some(_), None, None) => trivy(report).map(Some),
        (None, Some(_), None) => grype(report).map(Some),
        (None, None, Some(_)) => sarif(report).map(Some),
        _ => Ok(None),
    }
}

fn sorted(mut findings: Vec<Finding>) -> Result<Vec<Finding>, Malformed> {
    if findings.iter().any(|finding| finding.id.is_empty()) {
        return Err(Malformed::shape("a finding without a name"));
    }
    findings.sort_unstable();
    findings.dedup();
    Ok(findings)
}

/// A finding as in-toto lists it.
#[derive(Deserialize)]
struct Listed {
    id: String,
    #[serde(default)]
    severity: Ratings,
}

/// A list by the specification; one rating alone has been seen.
#[derive(Deserialize)]
#[serde(untagged)]
enum Ratings {
    Several(AtMost<Rating, RATINGS>),
    One(Rating),
}

#[derive(Deserialize)]
struct Rating {
    score: Score,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Score {
    Text(String),
    Number(f64),
}

impl Default for Ratings {
    fn default() -> Self {
        Self::Several(AtMost::default())
    }
}

impl Listed {
    /// The worst of its ratings: scales differ, and nothing says which one is meant.
    fn finding(self) -> Result<Finding, Malformed> {
        let ratings = match self.severity {
            Ratings::Several(ratings) => ratings.of("ratings of a finding")?,
            Ratings::One(rating) => vec![rating],
        };
        let severity = ratings.iter().map(|rating| rating.score.severity()).min().unwrap_or(Severity::Unknown);
        Ok(Finding { severity, id: self.id })
    }
}

impl Score {
    fn severity(&self) -> Severity {
        match self {
            Self::Text(text) => Severity::read(text),
            Self::Number(score) => Severity::of_score(*score),
        }
    }
}

impl Severity {
    fn read(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "critical" => Self::Critical,
            "high" | "important" => Self::High,
            "medium" | "moderate" => Self::Medium,
            "low" => Self::Low,
            "negligible" | "none" => Self::Negligible,
            other => other.parse().map_or(Self::Unknown, Self::of_score),
        }
    }

    fn of_score(score: f64) -> Self {
        match score {
            9.0..=10.0 => Self::Critical,
            7.0..9.0 => Self::High,
            4.0..7.0 => Self::Medium,
            0.0 => Self::Negligible,
            0.0..4.0 => Self::Low,
            _ => Self::Unknown,
        }
    }
}

fn trivy(report: &str) -> Result<Vec<Finding>, Malformed> {
    #[derive(Deserialize)]
    struct Report {
        #[serde(rename = "Results", default)]
        results: AtMost<Target, FINDINGS>,
    }
    #[derive(Deserialize)]
    struct Target {
        #[serde(rename = "Vulnerabilities", default)]
        vulnerabilities: AtMost<Vulnerability, FINDINGS>,
    }
    #[derive(Deserialize)]
    struct Vulnerability {
        #[serde(rename = "VulnerabilityID")]
        id: String,
        #[serde(rename = "Severity")]
        severity: Option<String>,
    }
    let report: Report = read_checked(report.as_bytes())?;
    let mut found = Vec::new();
    for target in report.results.of("results")? {
        found.extend(target.vulnerabilities.of("findings")?);
        check_number(found.len())?;
    }
    sorted(found.into_iter().map(|it| finding(it.id, it.severity.as_deref())).collect())
}

fn grype(report: &str) -> Result<Vec<Finding>, Malformed> {
    #[derive(Deserialize)]
    struct Report {
        matches: AtMost<Match, FINDINGS>,
    }
    #[derive(Deserialize)]
    struct Match {
        vulnerability: Vulnerability,
    }
    #[derive(Deserialize)]
    struct Vulnerability {
        id: String,
        severity: Option<String>,
    }
    let report: Report = read_checked(report.as_bytes())?;
    let found = report.matches.of("findings")?.into_iter().map(|it| it.vulnerability);
    sorted(found.map(|it| finding(it.id, it.severity.as_deref())).collect())
}

/// SARIF names findings by their rules, and says of none how bad it is in a way that all tools share.
fn sarif(report: &str) -> Result<Vec<Finding>, Malformed> {
    #[derive(Deserialize)]
    struct Report {
        runs: AtMost<Run, FINDINGS>,
    }
    #[derive(Deserialize)]
    struct Run {
        #[serde(default)]
        results: AtMost<Found, FINDINGS>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Found {
        rule_id: String,
    }
    let report: Report = read_checked(report.as_bytes())?;
    let mut found = Vec::new();
    for run in report.runs.of("runs")? {
        found.extend(run.results.of("findings")?);
        check_number(found.len())?;
    }
    sorted(found.into_iter().map(|it| finding(it.rule_id, None)).collect())
}

fn finding(id: String, severity: Option<&str>) -> Finding {
    Finding { severity: severity.map_or(Severity::Unknown, Severity::read), id }
}

fn check_number(findings: usize) -> Result<(), Malformed> {
    if findings > FINDINGS {
        return Err(Malformed::TooMuch { what: "findings", limit: FINDINGS as u64 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_json(json: &Value) -> Result<Scan, Malformed> {
        read(&json.to_string())
    }

    fn scan(result: &Value) -> Value {
        json!({
            "invocation": { "parameters": null, "uri": "", "event_id": "", "builder.id": "" },
            "scanner": { "uri": "pkg:github/aquasecurity/trivy@0.50.0", "version": "0.50.0",
                "db": { "uri": "", "version": "2" }, "result": result },
            "metadata": { "scanStartedOn": "2026-01-02T03:04:05Z", "scanFinishedOn": "0001-01-01T00:00:00Z" }
        })
    }

    fn found(result: &Value) -> Vec<(Severity, String)> {
        let findings = read_json(&scan(result)).unwrap().findings.unwrap();
        findings.into_iter().map(|finding| (finding.severity, finding.id)).collect()
    }

    #[test]
    fn a_scan_says_what_scanned_when_and_with_which_database() {
        let scan = read_json(&scan(&json!([]))).unwrap();
        assert_eq!(scan.scanner, "pkg:github/aquasecurity/trivy@0.50.0");
        assert_eq!(scan.scanner_version.as_deref(), Some("0.50.0"));
        assert_eq!((scan.database, scan.database_version.as_deref()), (None, Some("2")));
        assert_eq!(scan.started_at, Some("2026-01-02T03:04:05Z".parse().unwrap()));
        assert_eq!(scan.finished_at, None, "what Go writes for no time at all");
        assert_eq!(scan.findings, Some(vec![]));
    }

    #[test]
    fn the_reports_of_the_usual_scanners_are_read() {
        let critical = || (Severity::Critical, "CVE-1".to_owned());
        let trivy = json!({ "SchemaVersion": 2, "ArtifactName": "app", "Results": [
            { "Target": "app (alpine)", "Vulnerabilities": [
                { "VulnerabilityID": "CVE-2", "PkgName": "a", "Severity": "MEDIUM" },
                { "VulnerabilityID": "CVE-1", "PkgName": "a", "Severity": "CRITICAL" },
                { "VulnerabilityID": "CVE-1", "PkgName": "b", "Severity": "CRITICAL" }] },
            { "Target": "go.sum" }, { "Target": "lock", "Vulnerabilities": null }] });
        assert_eq!(found(&trivy), [critical(), (Severity::Medium, "CVE-2".into())]);
        let grype = json!({ "matches": [{ "vulnerability": { "id": "CVE-1", "severity": "Critical" },
            "artifact": { "name": "a" } }], "source": {} });
        assert_eq!(found(&grype), [critical()]);
        let sarif = json!({ "version": "2.1.0", "runs": [{ "results": [{ "ruleId": "CVE-1" }] }] });
        assert_eq!(found(&sarif), [(Severity::Unknown, "CVE-1".into())]);
        let listed = json!([
            { "id": "CVE-1", "severity": [{ "method": "nvd", "score": "5.0" }, { "method": "x", "score": "CRITICAL" }] },
            { "id": "CVE-3", "severity": { "method": "CVSSv3", "score": "7.5" } }, { "id": "CVE-4" }]);
        let expected = [critical(), (Severity::High, "CVE-3".into()), (Severity::Unknown, "CVE-4".into())];
        assert_eq!(found(&listed), expected);
    }

    #[test]
    fn a_scan_that_found_nothing_is_no_scan_that_is_not_understood() {
        assert_eq!(found(&json!({ "SchemaVersion": 2 })), []);
        assert_eq!(read_json(&scan(&json!({ "verdict": "clean" }))).unwrap().findings, None);
        let two = json!({ "SchemaVersion": 2, "matches": [] });
        assert_eq!(read_json(&scan(&two)).unwrap().findings, None, "which of the two it is, nobody knows");
    }

    #[test]
    fn a_scan_without_scanner_or_report_is_malformed() {
        let mut nobody = scan(&json!([]));
        nobody["scanner"]["uri"] = json!("");
        assert!(read_json(&nobody).is_err());
        for report in [json!(null), json!(""), json!(0)] {
            assert!(read_json(&scan(&report)).is_err(), "{report}");
        }
    }

    #[test]
    fn a_finding_without_a_name_is_malformed() {
        for report in [
            json!([{ "id": "" }]),
            json!([{}]),
            json!({ "SchemaVersion": 2, "Results": [{ "Vulnerabilities": [{ "Severity": "LOW" }] }] }),
            json!({ "matches": [{}] }),
            json!({ "runs": [{ "results": [{}] }] }),
        ] {
            assert!(read_json(&scan(&report)).is_err(), "{report}");
        }
    }

    #[test]
    fn scores_are_rated_as_cvss_rates_them() {
        for (text, severity) in [
            ("10", Severity::Critical),
            ("9.0", Severity::Critical),
            ("8.9", Severity::High),
            ("7.0", Severity::High),
            ("6.9", Severity::Medium),
            ("4.0", Severity::Medium),
            ("3.9", Severity::Low),
            ("0.1", Severity::Low),
            ("0.0", Severity::Negligible),
            ("10.1", Severity::Unknown),
            ("-1", Severity::Unknown),
            ("NaN", Severity::Unknown),
            ("Important", Severity::High),
            ("MODERATE", Severity::Medium),
            ("bad", Severity::Unknown),
        ] {
            assert_eq!(Severity::read(text), severity, "{text}");
        }
    }

    #[test]
    fn findings_are_counted_by_severity() {
        let report = json!([{ "id": "a", "severity": [{ "score": "LOW" }] }, { "id": "b" }, { "id": "c" }]);
        let counts = read_json(&scan(&report)).unwrap().counts().unwrap();
        assert_eq!(counts, BTreeMap::from([(Severity::Low, 1), (Severity::Unknown, 2)]));
    }

    #[test]
    fn findings_are_bounded() {
        let many = json!(vec![json!({ "id": "CVE-1" }); FINDINGS + 1]);
        assert!(matches!(read_json(&scan(&many)), Err(Malformed::TooMuch { .. })));
        let target = json!({ "Vulnerabilities": vec![json!({ "VulnerabilityID": "CVE-1" }); FINDINGS / 2 + 1] });
        let trivy = json!({ "SchemaVersion": 2, "Results": [target, target] });
        assert!(matches!(read_json(&scan(&trivy)), Err(Malformed::TooMuch { .. })));
    }

    #[test]
    fn a_scan_may_have_as_many_findings_as_it_may() {
        assert!(check_number(FINDINGS).is_ok());
        check_number(FINDINGS + 1).unwrap_err();
    }
}
