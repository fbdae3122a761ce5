//! Readers that leave before all is written, as `head` and pagers do.

use std::io::pipe;
use std::process::{Output, Stdio};

use rustix::process::Signal;
use tokio::task::spawn_blocking;

use crate::cli::{IMAGE, Server, Setup, code, get, put, stderr, unsigned};

const RULE: &str = "[[rule]]\nname = 'mine'\nimages = ['docker.io/me/*']\nmode = 'allow'\n";
const CASE: &str =
    "[[case]]\nname = 'a'\nimage = 'docker.io/me/app:v1'\nnow = 2026-11-25T00:00:00Z\ndecision = 'refuse'\n";

/// What `arguments` come to where nobody reads standard output.
fn unread(setup: &Setup, arguments: &[&str]) -> Output {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    setup.command(arguments).stdout(writer).output().unwrap()
}

#[test]
fn a_reader_that_leaves_changes_no_exit_code_and_is_no_error() {
    let setup = Setup::new(RULE);
    std::fs::write(setup.path("cases.toml"), CASE).unwrap();
    put(&setup, b"layer", b"other bytes");
    for (arguments, expected) in [
        (&["explain"][..], 0),
        (&["config", "check"], 0),
        (&["config", "schema"], 0),
        (&["policy", "test", "cases.toml"], 1),
        (&["policy", "test", "--json", "cases.toml"], 1),
        (&["packages", "who-has", "pkg:npm/axios"], 3),
        (&["packages", "who-has", "--json", "pkg:npm/axios"], 3),
        (&["storage", "status"], 0),
        (&["storage", "check"], 1),
        (&["storage", "prune"], 0),
    ] {
        let output = unread(&setup, arguments);
        assert_eq!((code(&output), stderr(&output)), (expected, ""), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_verdict_that_nobody_reads_to_its_end_is_the_same_verdict() {
    let (_registry, setup) = unsigned().await;
    let outputs = spawn_blocking(move || {
        let commands = [
            (&["verify", IMAGE][..], 3),
            (&["verify", "--json", IMAGE], 3),
            (&["inspect", "--record", "case", IMAGE], 0),
        ];
        let outputs = commands.map(|(arguments, expected)| (unread(&setup, arguments), expected));
        assert!(setup.path("case/facts.json").exists(), "what else it does is done");
        outputs
    });
    for (output, expected) in outputs.await.unwrap() {
        assert_eq!(code(&output), expected, "{output:?}");
        assert!(!stderr(&output).contains("output"), "{output:?}");
    }
}

#[test]
fn output_that_cannot_be_written_for_another_cause_is_an_error() {
    let setup = Setup::new("");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = setup.command(&["explain"]).stdout(full).output().unwrap();
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("cannot write the output"), "{output:?}");
}

#[test]
fn an_error_that_nobody_reads_has_its_exit_code_all_the_same() {
    let setup = Setup::new("surprise = 1\n");
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let output = setup.command(&["config", "check"]).stderr(writer).stdout(Stdio::null()).output().unwrap();
    assert_eq!(code(&output), 64);
}

/// Whatever collects the log may die before the registry does.
#[test]
fn a_log_that_nobody_reads_stops_no_server() {
    let setup = Setup::new("");
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut server = Server::spawn(setup.command(&["serve"]).stderr(writer));
    let front = server.address("serving on http://");
    assert!(get(&front, "/v2/acme/app/manifests/v1").starts_with("HTTP/1.1 40"), "a decision is a line in the log");
    server.signal(Signal::HUP);
    assert!(get(&front, "/v2/").starts_with("HTTP/1.1 200"));
    assert_eq!(server.stop(), Some(0));
}
