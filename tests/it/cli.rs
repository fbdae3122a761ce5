//! The commands, as a shell sees them: output and exit codes.

mod output;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::support::authority::Authority;
use crate::support::authority::identity::Identity;
use crate::support::authority::image::Image;
use crate::support::authority::publisher::Publisher;
use crate::support::authority::seed::{self, RULE};
use crate::support::content::Repositories;
use crate::support::mirror::world;
use crate::support::registry::{Fault, Registry};

pub(crate) const IMAGE: &str = "docker.io/fystacklabs/apex:v1.2.3";

/// A folder with a configuration.
pub(crate) struct Setup {
    folder: TempDir,
}

impl Setup {
    pub(crate) fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let places =
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[storage]\npath = \"state\"\n";
        fs::write(folder.path().join("bonafide.toml"), format!("{places}{config}")).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bonafide(self.folder.path());
        command.arg("--config").arg(self.path("bonafide.toml")).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

/// The binary, with no environment but a home that is not the developer's.
pub(crate) fn bonafide(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bonafide"));
    command.env_clear().env("HOME", home).current_dir(home).stdin(Stdio::null());
    command
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

pub(crate) fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

pub(crate) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// A registry with a release, and a configuration that demands all of it.
async fn released(publish: impl Fn(&Authority, &mut Repositories) -> seed::Release) -> (Registry, Setup) {
    let (authority, registry) = (Authority::new("corp"), Registry::start().await);
    let mut repositories = Repositories::default();
    publish(&authority, &mut repositories);
    registry.publish(repositories);
    let setup = Setup::new(&format!("{}{RULE}", world(&registry)));
    authority.trusted_root().write_to(setup.folder.path());
    (registry, setup)
}

pub(crate) async fn signed() -> (Registry, Setup) {
    released(|authority, repositories| seed::era_a(authority, repositories, "fystacklabs/apex", "v1.2.3")).await
}

pub(crate) async fn unsigned() -> (Registry, Setup) {
    released(|_, repositories| seed::unsigned(repositories, "fystacklabs/apex", "v1.2.3")).await
}

/// Runs the binary without blocking the registry, which is in this process.
pub(crate) async fn run(setup: Setup, arguments: &'static [&'static str]) -> (Output, Setup) {
    spawn_blocking(move || (setup.run(arguments), setup)).await.unwrap()
}

#[tokio::test]
async fn verify_says_0_for_what_is_admitted() {
    let (_registry, setup) = signed().await;
    let (output, _) = run(setup, &["verify", IMAGE]).await;
    assert_eq!(code(&output), 0, "{output:?}");
    let text = stdout(&output);
    for part in ["decision    admitted", "rule        fystack", "signature   met", "provenance  met", "sbom        met"]
    {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}

#[tokio::test]
async fn verify_says_3_for_what_is_refused_and_why() {
    let (_registry, setup) = unsigned().await;
    let (output, setup) = run(setup, &["verify", IMAGE]).await;
    assert_eq!(code(&output), 3, "{output:?}");
    let text = stdout(&output);
    assert!(text.contains("decision    refused") && text.contains("signature   NOT MET"), "{text}");
    assert!(text.contains("is not proven: "), "{text}");
    assert!(text.ends_with("What to do about it: bonafide explain missing\n"), "{text}");
    let (output, _) = run(setup, &["verify", "docker.io/library/nginx:1"]).await;
    assert_eq!(code(&output), 3, "{output:?}");
}

#[tokio::test]
async fn verify_says_4_for_what_cannot_be_decided() {
    let (registry, setup) = signed().await;
    registry.stop().await;
    let (output, _) = run(setup, &["verify", IMAGE]).await;
    assert_eq!(code(&output), 4, "{output:?}");
    assert!(stdout(&output).contains("undecided"), "{output:?}");
}

#[tokio::test]
async fn verify_says_what_was_met_even_where_it_cannot_decide() {
    let (registry, setup) = signed().await;
    registry.fault(".att", Fault::Status(403));
    let (output, _) = run(setup, &["verify", "--json", IMAGE]).await;
    assert_eq!(code(&output), 4, "{output:?}");
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&verdict["decision"], &verdict["rule"]), (&"undecided".into(), &"fystack".into()));
    assert!(verdict["digest"].as_str().unwrap().starts_with("sha256:"), "{verdict}");
    let met: Vec<_> = verdict["requirements"].as_array().unwrap().iter().map(|one| one["met"].clone()).collect();
    assert_eq!(met, [true, false, false]);
    assert_eq!(verdict["requirements"][1]["reasons"][0]["code"], "unavailable");
}

#[tokio::test]
async fn verify_knows_upstreams_by_the_names_that_clients_may_use() {
    let (_registry, setup) = signed().await;
    let alias = IMAGE.replacen("docker.io", "index.docker.io", 1);
    let (output, setup) = spawn_blocking(move || (setup.run(&["verify", &alias]), setup)).await.unwrap();
    assert_eq!(code(&output), 0, "{output:?}");
    let (output, _) = run(setup, &["verify", "ghcr.io/acme/app:v1"]).await;
    assert_eq!(code(&output), 4, "{output:?}");
    assert!(stdout(&output).contains("ghcr.io is not configured; configured are: docker.io"), "{output:?}");
}

#[tokio::test]
async fn verify_prints_the_verdict_as_json() {
    let (_registry, setup) = signed().await;
    let (output, _) = run(setup, &["verify", "--json", IMAGE]).await;
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&verdict["image"], &verdict["decision"]), (&IMAGE.into(), &"admit".into()));
    assert_eq!((&verdict["rule"], &verdict["mode"]), (&"fystack".into(), &"enforce".into()));
    assert!(verdict["digest"].as_str().unwrap().starts_with("sha256:"));
    let kinds: Vec<_> = verdict["requirements"].as_array().unwrap().iter().map(|one| one["kind"].clone()).collect();
    assert_eq!(kinds, ["signature", "provenance", "sbom"]);
}

#[tokio::test]
async fn verify_says_what_is_served_in_place_of_an_unproven_update() {
    let (authority, registry) = (Authority::new("corp"), Registry::start().await);
    let config = world(&registry).replace("default = true", "default = true\ntag_ttl = \"1ms\"")
        + &RULE.replace("message =", "on_unproven_update = \"last-admitted\"\n    message =");
    let setup = Setup::new(&config);
    authority.trusted_root().write_to(setup.folder.path());
    let mut repositories = Repositories::default();
    let release = seed::era_a(&authority, &mut repositories, "fystacklabs/apex", "v1.2.3");
    registry.publish(std::mem::take(&mut repositories));
    let (output, setup) = run(setup, &["verify", IMAGE]).await;
    assert_eq!(code(&output), 0, "{output:?}");
    Publisher::new(&mut repositories, "fystacklabs/apex").image("v1.2.3", &Image::new("unproven"));
    registry.publish(repositories);
    let (output, _) = run(setup, &["verify", "--json", IMAGE]).await;
    assert_eq!(code(&output), 0, "{output:?}");
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verdict["digest"], release.image.digest().to_string());
    let instead_of = verdict["instead_of"].as_str().unwrap();
    assert!(instead_of.contains(&Image::new("unproven").digest().to_string()), "{instead_of}");
}

#[tokio::test]
async fn verify_works_without_the_configured_storage() {
    let (_registry, setup) = signed().await;
    fs::write(setup.path("state"), "a file, where a folder should be").unwrap();
    let (output, _) = run(setup, &["verify", IMAGE]).await;
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(stderr(&output).contains("using temporary storage instead"), "{output:?}");
}

#[tokio::test]
async fn inspect_prints_what_is_proven_without_a_policy() {
    let (_registry, setup) = signed().await;
    let (output, setup) = run(setup, &["inspect", IMAGE]).await;
    assert_eq!(code(&output), 0, "{output:?}");
    let text = stdout(&output);
    for part in [
        "└── signature\n",
        "...sig)\n",
        "...att)\n",
        "provenance (SLSA v0.2)",
        "sbom (SPDX 2.3, 2 packages)",
        "issuer      https://token.actions.githubusercontent.com",
        "builder     https://github.com/slsa-framework/slsa-github-generator/",
        "commit      ",
        "logged by Rekor v1",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    let (output, _) = run(setup, &["inspect", "--json", IMAGE]).await;
    let inspection: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(inspection["facts"].as_array().unwrap().len(), 3);
    assert_eq!(inspection["tags"].as_object().unwrap().len(), 2);
    assert_eq!(inspection["coverage"], "complete");
}

#[tokio::test]
async fn inspect_names_the_code_of_what_proves_nothing() {
    let stranger = Authority::new("stranger");
    let publish = |_: &Authority, to: &mut Repositories| seed::era_b(&stranger, to, "fystacklabs/apex", "v1.2.3");
    let (_registry, setup) = released(publish).await;
    let (output, _) = run(setup, &["inspect", IMAGE]).await;
    let text = stdout(&output);
    for part in ["└── proves nothing: ", "[certificate-invalid]\n", "evidence    sigstore bundle sha256:"] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}

#[tokio::test]
async fn inspect_says_in_which_other_repository_evidence_was_found() {
    let (authority, registry) = (Authority::new("corp"), Registry::start().await);
    let mut repositories = Repositories::default();
    let digest = Publisher::new(&mut repositories, "fystacklabs/apex").image("v1.2.3", &Image::new("app"));
    let [good, bad] = [&authority, &Authority::new("stranger")]
        .map(|authority| authority.keyless(&Identity::email("dev@acme.example", "https://idp.example")).sign(digest));
    for signature in [good, bad] {
        Publisher::new(&mut repositories, "acme/signatures").signature(digest, &signature);
    }
    registry.publish(repositories);
    let from = "default = true\nevidence_from = 'docker.io/acme/signatures'\n";
    let rule = "[[rule]]\nname = 'dev'\nimages = ['docker.io/**']\n[[rule.signature]]\ntrust = 'corp'\n\
        issuer = 'https://idp.example'\nsubject = 'dev@acme.example'\n";
    let setup = Setup::new(&format!("{}{rule}", world(&registry).replace("default = true\n", from)));
    authority.trusted_root().write_to(setup.folder.path());
    let (output, setup) = run(setup, &["inspect", IMAGE]).await;
    let found = stdout(&output).matches("found in    docker.io/acme/signatures").count();
    assert_eq!(found, 2, "the fact and the flaw: {output:?}");
    let (output, setup) = run(setup, &["verify", IMAGE]).await;
    assert!(stdout(&output).contains("\n    found in    docker.io/acme/signatures\n"), "{output:?}");
    let (output, _) = run(setup, &["inspect", "--json", IMAGE]).await;
    let inspection: Value = serde_json::from_slice(&output.stdout).unwrap();
    for piece in [&inspection["facts"][0], &inspection["flaws"][0]] {
        assert_eq!(piece["found_in"]["name"], "acme/signatures", "{inspection}");
    }
}

#[tokio::test]
async fn inspect_says_that_nothing_is_published() {
    let (_registry, setup) = unsigned().await;
    let (output, _) = run(setup, &["inspect", IMAGE]).await;
    assert!(stdout(&output).contains("nothing is published about it"), "{output:?}");
}

#[test]
fn explain_says_what_a_reason_means_and_what_to_do() {
    let setup = Setup::new("");
    let output = setup.run(&["explain", "wrong-identity"]);
    assert_eq!(code(&output), 0, "{output:?}");
    for part in ["means       Signed by somebody else", "what to do  Compare", "looks like  signed by "] {
        assert!(stdout(&output).contains(part), "no {part} in {output:?}");
    }
    let all = setup.run(&["explain"]);
    assert!(stdout(&all).starts_with("not-reached ") && stdout(&all).contains("\nunavailable "), "{all:?}");
    let none = setup.run(&["explain", "nonsense"]);
    assert!(code(&none) == 2 && stderr(&none).contains("bonafide explain lists them all"), "{none:?}");
}

#[test]
fn a_usable_configuration_is_0() {
    let output = Setup::new("").run(&["config", "check"]);
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(stdout(&output).contains("bonafide.toml can be used"), "{output:?}");
    let home = tempfile::tempdir().unwrap();
    let output = bonafide(home.path()).args(["config", "check"]).output().unwrap();
    assert_eq!(code(&output), 0, "{output:?}");
}

#[test]
fn config_schema_prints_the_schema_whatever_the_configuration_says() {
    let output = Setup::new("nonsense").run(&["config", "schema"]);
    assert_eq!(code(&output), 0, "{output:?}");
    assert_eq!(stdout(&output), include_str!("../../config/schema.json"));
}

#[test]
fn a_bad_configuration_is_64_with_file_and_line() {
    let setup = Setup::new("[[rule]]\nname = \"a\"\nimage = \"x\"\n");
    for command in [&["config", "check"][..], &["serve"], &["verify", IMAGE]] {
        let output = setup.run(command);
        assert_eq!(code(&output), 64, "{output:?}");
        assert!(stderr(&output).contains("bonafide.toml:9: "), "{output:?}");
    }
}

#[test]
fn a_configuration_that_names_unusable_files_is_64() {
    for config in [
        "[[trust]]\nname = \"corp\"\ntrusted_root = \"missing.json\"\n",
        "[[key]]\nname = \"release\"\npath = \"missing.pub\"\n",
    ] {
        let output = Setup::new(config).run(&["config", "check"]);
        assert_eq!(code(&output), 64, "{output:?}");
        assert!(stderr(&output).contains("missing."), "{output:?}");
    }
}

#[test]
fn a_missing_configuration_is_64() {
    let home = tempfile::tempdir().unwrap();
    let output = bonafide(home.path()).args(["--config", "missing.toml", "config", "check"]).output().unwrap();
    assert_eq!(code(&output), 64, "{output:?}");
    assert!(stderr(&output).contains("missing.toml"), "{output:?}");
}

#[test]
fn what_weakens_a_check_is_said() {
    let config = "[[rule]]\nname = \"mine\"\nimages = [\"docker.io/me/*\"]\nmode = \"allow\"\n";
    let output = Setup::new(config).run(&["config", "check"]);
    assert!(stdout(&output).contains("weakened: ") && stdout(&output).contains("mine"), "{output:?}");
}

#[test]
fn help_has_examples() {
    let home = tempfile::tempdir().unwrap();
    for (command, example) in [
        (&[][..], "bonafide verify registry.k8s.io/"),
        (&["serve"], "bonafide serve"),
        (&["verify"], "bonafide verify registry.k8s.io/"),
        (&["inspect"], "bonafide inspect cgr.dev/"),
        (&["explain"], "bonafide explain wrong-identity"),
        (&["policy"], "bonafide policy test"),
        (&["policy", "test"], "bonafide policy test"),
        (&["config"], "bonafide config check"),
        (&["config", "check"], "bonafide config check"),
    ] {
        let output = bonafide(home.path()).args(command).arg("--help").output().unwrap();
        assert_eq!(code(&output), 0);
        let examples = stdout(&output).split("Examples:\n").nth(1).expect("examples");
        assert!(examples.contains(example) && examples.contains("Exit codes: "), "{output:?}");
    }
}

#[test]
fn a_misspelt_image_or_command_is_2() {
    let setup = Setup::new("");
    for command in [&["verify", "Not An Image"][..], &["frobnicate"], &["verify"]] {
        assert_eq!(code(&setup.run(command)), 2, "{command:?}");
    }
}

#[test]
fn serve_prints_its_addresses_and_ends_with_0_when_told_to() {
    let setup = Setup::new("");
    let mut server = Server::start(&setup);
    let front = server.address("serving on http://");
    let admin = server.address("admin on http://");
    assert!(get(&front, "/v2/").starts_with("HTTP/1.1 200"));
    assert!(get(&admin, "/readyz").starts_with("HTTP/1.1 200"));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn serve_reads_its_configuration_again_on_a_hangup() {
    let setup = Setup::new("");
    let mut server = Server::start(&setup);
    server.address("serving on http://");
    let admin = server.address("admin on http://");
    server.signal(Signal::HUP);
    let applied = "bonafide_config_reloads_total{outcome=\"applied\"} 1";
    // Nothing has changed, so it is only the signal that makes it read.
    while !get(&admin, "/metrics").contains(applied) {
        std::thread::yield_now();
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn serve_speaks_tls_where_it_is_configured() {
    let setup = Setup::new("");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(setup.path("tls.crt"), made.cert.pem()).unwrap();
    fs::write(setup.path("tls.key"), made.signing_key.serialize_pem()).unwrap();
    let config = fs::read_to_string(setup.path("bonafide.toml")).unwrap();
    let tls = "tls = { cert = \"tls.crt\", key = \"tls.key\" }\n[admin]";
    fs::write(setup.path("bonafide.toml"), config.replacen("[admin]", tls, 1)).unwrap();
    let mut server = Server::start(&setup);
    let front = server.address("serving on https://");
    assert!(!get(&front, "/v2/").contains("200 OK"));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn serve_that_cannot_start_is_1() {
    let setup = Setup::new("");
    let mut server = Server::start(&setup);
    let front = server.address("serving on http://");
    let config = fs::read_to_string(setup.path("bonafide.toml")).unwrap();
    fs::write(setup.path("bonafide.toml"), config.replacen("127.0.0.1:0", &front, 1)).unwrap();
    let output = setup.run(&["serve"]);
    assert_eq!(code(&output), 1, "{output:?}");
    assert!(stderr(&output).contains(&front), "{output:?}");
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: mirror\r\nconnection: close\r\n\r\n");
    let mut answer = Vec::new();
    // A server of TLS answers plain HTTP with an alert, or with nothing, and may not even hear it out.
    let end = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_end(&mut answer));
    end.map(|_| String::from_utf8_lossy(&answer).into_owned()).unwrap_or_default()
}

/// `bonafide serve`, killed when dropped.
struct Server {
    process: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Server {
    fn start(setup: &Setup) -> Self {
        Self::spawn(setup.command(&["serve"]).stderr(Stdio::null()))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    /// What the next line says after `label`.
    fn address(&mut self, label: &str) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().strip_prefix(label).unwrap_or_else(|| panic!("{line:?}")).to_owned()
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.process.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, as it should.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A content file that is what it is named after, or is not.
fn put(setup: &Setup, name: &[u8], bytes: &[u8]) -> std::path::PathBuf {
    let hex = bonafide::oci::Digest::of(name).hex();
    let folder = setup.path("state/content/sha256").join(&hex[..2]);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(&hex), bytes).unwrap();
    folder.join(hex)
}

#[test]
fn storage_status_says_how_much_is_kept_and_how_much_may_be() {
    let setup = Setup::new("");
    put(&setup, b"layer", b"layer");
    let output = setup.run(&["storage", "status"]);
    assert_eq!(code(&output), 0);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("1 contents of 5 bytes in all") && text.contains("50GiB"), "{text}");
}

#[test]
fn storage_prune_makes_room() {
    let setup = Setup::new("");
    let layer = put(&setup, b"layer", b"layer");
    assert_eq!(code(&setup.run(&["storage", "prune"])), 0);
    assert!(layer.exists());
    let output = setup.run(&["storage", "prune", "--to", "4B"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "deleted 1 contents of 5 bytes in all\n");
    assert!(!layer.exists());
}

fn digest(bytes: &[u8]) -> String {
    bonafide::oci::Digest::of(bytes).to_string()
}

#[test]
fn storage_pin_keeps_what_prune_would_delete_until_unpin() {
    let setup = Setup::new("");
    let (pinned, free) = (put(&setup, b"layer", b"layer"), put(&setup, b"another", b"another"));
    let output = setup.run(&["storage", "pin", &digest(b"layer")]);
    assert_eq!((code(&output), stderr(&output)), (0, ""));
    let output = setup.run(&["storage", "prune", "--to", "4B"]);
    assert_eq!(code(&output), 0);
    assert_eq!(
        stdout(&output),
        "deleted 1 contents of 7 bytes in all\n\
         left 1 contents of 5 bytes in all, which is more than 4B: pinned are 1 contents of 5 bytes in all\n"
    );
    assert!(pinned.exists() && !free.exists());
    assert_eq!(code(&setup.run(&["storage", "unpin", &digest(b"layer")])), 0);
    assert_eq!(stdout(&setup.run(&["storage", "prune", "--to", "4B"])), "deleted 1 contents of 5 bytes in all\n");
    assert!(!pinned.exists());
}

#[test]
fn storage_pin_says_what_is_not_kept_yet() {
    let setup = Setup::new("");
    let layer = put(&setup, b"layer", b"layer");
    let output = setup.run(&["storage", "pin", &digest(b"layer"), &digest(b"lair")]);
    assert_eq!(code(&output), 0);
    let said = stderr(&output);
    assert!(
        said.contains(&format!("{} is not kept yet", digest(b"lair"))) && !said.contains(&digest(b"layer")),
        "{said}"
    );
    put(&setup, b"lair", b"lair");
    assert_eq!(stdout(&setup.run(&["storage", "status"])).matches("2 contents of 9 bytes").count(), 2);
    assert!(layer.exists());
}

#[test]
fn storage_pin_refuses_what_is_no_digest() {
    let setup = Setup::new("");
    assert_ne!(code(&setup.run(&["storage", "pin", "layer"])), 0);
    assert_ne!(code(&setup.run(&["storage", "pin"])), 0);
}

#[test]
fn storage_check_deletes_what_is_damaged_and_says_so() {
    let setup = Setup::new("");
    let (whole, damaged) = (put(&setup, b"layer", b"layer"), put(&setup, b"another", b"anothar"));
    let output = setup.run(&["storage", "check"]);
    assert_eq!(code(&output), 1);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("is damaged") && text.contains("2 contents of 12 bytes in all looked at, 1 damaged"),
        "{text}"
    );
    assert!(whole.exists() && !damaged.exists());
    assert_eq!(code(&setup.run(&["storage", "check"])), 0);
}
