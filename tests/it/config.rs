//! The configuration: every error with its line and what to write instead, and every example of the documentation.

use std::fs;
use std::path::{Path, PathBuf};

use bonafide::config::{Config, ConfigError, Environment};
use bonafide::listen::Protocol;
use bonafide::oci::{Digest, Repository, Tag};
use bonafide::policy::Request;

/// Every table, and what stands before its keys.
pub(crate) const TABLES: &[(&str, &str)] = &[
    ("", ""),
    ("server", "[server]\n"),
    ("admin", "[admin]\n"),
    ("storage", "[storage]\n"),
    ("upstream", "[[upstream]]\n"),
    ("trust", "[[trust]]\n"),
    ("key", "[[key]]\n"),
    ("rule", "[[rule]]\n"),
    ("rule.signature", "[[rule]]\n[[rule.signature]]\n"),
    ("rule.provenance", "[[rule]]\n[rule.provenance]\n"),
    ("rule.sbom", "[[rule]]\n[rule.sbom]\n"),
    ("builder", "[[builder]]\n"),
    ("verifier", "[[verifier]]\n"),
    ("exception", "[[exception]]\n"),
    ("revoked", "[revoked]\n"),
];

#[test]
fn the_built_in_configuration_names_the_registries_and_publishers_that_it_promises() {
    let config = Config::load(None, &environment()).unwrap();
    let upstreams: Vec<_> = config.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
    assert_eq!(upstreams, ["docker.io", "ghcr.io", "quay.io", "gcr.io", "registry.k8s.io", "cgr.dev"]);
    assert_eq!((config.warnings, config.policy.weakenings()), (Vec::<String>::new(), Vec::new()));
    for (repository, tag, rule) in [
        ("registry.k8s.io/kube-apiserver", "v1.34.1", Some("kubernetes")),
        ("gcr.io/distroless/static-debian12", "nonroot", Some("distroless")),
        ("cgr.dev/chainguard/static", "latest", Some("chainguard")),
        ("ghcr.io/sigstore/cosign/cosign", "v3.0.5", Some("sigstore")),
        ("docker.io/fystacklabs/apex", "v1.0.0", Some("fystack")),
        ("docker.io/library/nginx", "latest", None),
        ("gcr.io/other/distroless", "latest", None),
    ] {
        let (repository, tag): (Repository, Tag) = (repository.parse().unwrap(), tag.parse().unwrap());
        assert_eq!(config.policy.rule(&repository, Some(&tag)).map(bonafide::policy::Rule::name), rule, "{repository}");
        let request = Request { repository: &repository, tag: Some(&tag), digest: Digest::of(b"") };
        assert_eq!(config.policy.needs_proof(&request, jiff::Timestamp::UNIX_EPOCH), rule.is_some());
    }
}

#[test]
fn nothing_that_weakens_is_built_in() {
    assert_eq!(Config::load(None, &environment()).unwrap().weakenings(), Vec::<String>::new());
}

#[test]
fn every_example_of_the_documentation_is_read() {
    for (page, least) in [
        ("docs/configuration.md", 6),
        ("docs/policy.md", 6),
        ("docs/trust.md", 2),
        ("docs/upstreams.md", 1),
        ("README.md", 1),
    ] {
        let examples = examples(page);
        assert!(examples.len() >= least, "{page} has examples");
        for example in examples {
            let read = Config::parse(&example, page, Path::new(""), &environment());
            assert!(read.is_ok(), "{}\n{example}", read.unwrap_err());
        }
    }
}

#[test]
fn every_key_is_documented() {
    let documented = include_str!("../../docs/configuration.md");
    // The parser lists all keys of a table when it meets one that is not among them.
    for (table, head) in TABLES {
        let (_, problem) = invalid(&format!("{head}zzzzzzzzzzzz = 1"));
        let known = problem.split("known are ").nth(1).expect(&problem).trim_end_matches(')');
        let section = section(documented, table.split('.').next().unwrap());
        for key in known.split(", ") {
            let said =
                [format!("`{key}`"), format!(".{key}`"), format!(".{key}."), format!("`{key}."), format!("[{key}]")];
            assert!(said.iter().any(|said| section.contains(said)), "{table}.{key} in docs/configuration.md");
        }
    }
}

/// The examples of configurations on a page.
pub(crate) fn examples(page: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let after = text.split("```toml\n").skip(1);
    after.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The section of the page that is about `table`; all headings for the whole file.
fn section(page: &str, table: &str) -> String {
    let mut sections = page.split("\n## ");
    let heading = |section: &str| section.lines().next().unwrap().to_owned();
    if table.is_empty() {
        return sections.map(heading).collect();
    }
    sections.find(|section| heading(section).contains(&format!("[{table}]"))).expect(table).to_owned()
}

#[test]
fn a_misspelt_key_is_named_with_its_line_and_the_one_that_was_meant() {
    let (line, problem) = invalid("[server]\nlisten = '127.0.0.1:0'\n\n[admin]\nlisten_ = '127.0.0.1:0'\n");
    assert_eq!(line, 5);
    assert!(problem.contains("there is no key listen_ here; did you mean listen?"), "{problem}");
    let (line, problem) = invalid("[[rule]]\nname = 'r'\nimage = ['a.io/b']\n");
    assert_eq!(line, 3);
    assert!(problem.contains("did you mean images?"), "{problem}");
    let (_, problem) = invalid("[telemetry]\n");
    assert!(problem.contains("known are server, admin, storage"), "{problem}");
}

#[test]
fn errors_name_the_line_in_which_to_look() {
    for (text, line, words) in [
        ("[server]\nlisten = 5000\n", 2, "write an IP address and a port"),
        ("[server]\nlisten = 'localhost:5000'\n", 2, "write an IP address and a port"),
        ("[[upstream]]\nname = 'a.io'\nurl = 'https://a.io'\ntag_ttl = 60\n", 4, "write it in quotation marks"),
        ("[[upstream]]\nname = 'a.io'\nurl = 'a.io'\n", 3, "https://host"),
        ("[server\n", 1, ""),
        ("\n[[upstream]]\nurl = 'https://a.io'\n", 2, "the key name is missing"),
        (
            "[[rule]]\nname = 'r'\nimages = ['a.io/b']\n\n[[rule.signature]]\nissuer = 'i'\n",
            5,
            "both issuer and subject",
        ),
        (
            "[[rule]]\nname = 'r'\nimages = ['a.io/b']\n[[rule.signature]]\nkey = 'none'\n",
            5,
            "there is no key \"none\"",
        ),
        ("[[rule]]\nname = 'r'\nimages = ['a.io/b',\n  'nginx']\nmode = 'deny'\n", 4, "docker.io/library/nginx"),
        (
            "[[rule]]\nname = 'r'\nimages = ['a.io/b']\nmode = 'deny'\non_unproven_update = 'last-admitted'\n",
            5,
            "is for mode = \"enforce\"",
        ),
        ("[[rule]]\nname = 'r'\nimages = ['a.io/b']\nmode = 'allow'\nindex = 'children'\n", 4, "looks at no evidence"),
        (
            "[[rule]]\nname = 'r'\nimages = ['a.io/b']\nbase_images = 'judge'\n[[rule.signature]]\nkey = 'k'\n\
             [[key]]\nname = 'k'\npath = 'a'\n",
            4,
            "add [rule.provenance] or [rule.sbom]",
        ),
        ("[[key]]\nname = 'k'\npath = 'a'\n[[key]]\nname = 'k'\npath = 'b'\n", 5, "is used by another [[key]]"),
        ("[[trust]]\nname = 'github'\nnotation = { ca = ['c'] }\n", 2, "built in"),
        (
            "[[trust]]\nname = 't'\ntuf = { url = 'https://a.io', root = 'r' }\nnotation = { ca = ['c'] }\n",
            4,
            "or notation = {",
        ),
        ("[[trust]]\nname = 't'\ntrusted_root = 'r'\nnotation = { ca = ['c'] }\n", 4, "or notation = {"),
        (
            "[[upstream]]\nname = 'a.io'\nurl = 'https://a.io'\n[[upstream]]\nname = 'a.io'\nurl = 'https://b.io'\n",
            5,
            "another [[upstream]]",
        ),
        (
            "[[upstream]]\nname = 'a.io'\nurl = 'https://a.io'\nevidence_from = 'b.io/signatures'\n",
            4,
            "there is no [[upstream]] b.io: add one of that name",
        ),
        (
            "[[upstream]]\nname = 'a.io'\nurl = 'https://a.io'\nevidence_from = 'b.io/{repository}'\n",
            4,
            "there is no [[upstream]] b.io: add one of that name",
        ),
        (
            "[[upstream]]\nname = 'a.io'\nurl = 'https://a.io'\nevidence_from = 'a.io/{name}'\n",
            4,
            "such as \"docker.io/{repository}\"",
        ),
        (
            "[[upstream]]\nname = 'a.io'\nurl = 'https://a.io'\nevidence_from = ['a.io/signatures',\n 'signatures']\n",
            4,
            "such as \"registry.example.com/signatures\"",
        ),
        (
            "[[upstream]]\nname = 'a.io'\nurl = 'https://a.io'\ndefault = true\n\
             [[upstream]]\nname = 'b.io'\nurl = 'https://b.io'\ndefault = true\n",
            8,
            "a.io is the default already",
        ),
    ] {
        let (found, problem) = invalid(text);
        assert_eq!(found, line, "{problem}\n{text}");
        assert!(problem.contains(words), "{problem:?} does not say {words:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bonafide.toml");
    fs::write(folder.path().join("there.pem"), "").unwrap();
    for (line, text) in [
        (2, "[server]\ntls = { cert = 'there.pem', key = 'missing' }\n"),
        (2, "[server]\ntls = { cert = 'missing', key = 'there.pem' }\n"),
        (2, "[server]\ntls = { cert = 'there.pem', key = 'there.pem', client_ca = 'missing' }\n"),
        (4, "[[upstream]]\nname = 'a.io'\nurl = 'https://a.io'\nca = 'missing'\n"),
        (
            5,
            "\n[[upstream]]\nname = 'a.io'\nurl = 'https://a.io'\nauth = { username = 'u', password_file = 'missing' }\n",
        ),
        (4, "[[upstream]]\nname = 'a.io'\nurl = 'https://a.io'\nauth = { docker_config = 'missing' }\n"),
        (3, "[[trust]]\nname = 't'\ntrusted_root = 'missing'\n"),
        (6, "[[key]]\nname = 'j'\npath = 'there.pem'\n[[key]]\nname = 'k'\npath = 'missing'\n"),
        (3, "[[key]]\nname = 'k'\npath = '.'\n"),
    ] {
        fs::write(&path, text).unwrap();
        match Config::load(Some(&path), &environment()).unwrap_err() {
            ConfigError::Invalid { line: found, problem, .. } => {
                assert_eq!(found, line, "{problem}\n{text}");
                assert!(problem.contains("cannot read ") && problem.contains("name a file"), "{problem}");
            }
            error @ ConfigError::Read { .. } => panic!("{error}"),
        }
    }
}

#[test]
fn an_alias_means_one_upstream() {
    let one = "[[upstream]]\nname = 'a.io'\nurl = 'https://a.io'\naliases = ['b.io']\n";
    let (line, problem) = invalid(&format!("{one}[[upstream]]\nname = 'b.io'\nurl = 'https://b.io'\n"));
    assert!(line == 4 && problem.contains("b.io"), "{line}: {problem}");
    let (line, _) = invalid(&format!("{one}[[upstream]]\nname = 'c.io'\nurl = 'https://c.io'\naliases = ['b.io']\n"));
    assert_eq!(line, 8);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Some(Path::new("/no/such/file.toml")), &environment()).unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }) && error.to_string().contains("/no/such/file.toml"));
}

#[test]
fn the_file_asked_for_goes_before_the_environment_and_the_environment_before_what_is_built_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(name);
        fs::write(&path, "").unwrap();
        path
    };
    let (asked, set) = (file("asked.toml"), file("set.toml"));
    let environment = Environment { config: Some(set.clone()), ..environment() };
    let origin = |file: Option<&Path>, environment| Config::load(file, environment).unwrap().origin;
    assert_eq!(origin(Some(&asked), &environment), asked.display().to_string());
    assert_eq!(origin(None, &environment), set.display().to_string());
    assert_eq!(origin(None, &self::environment()), "the built-in configuration");
}

#[test]
fn relative_paths_are_relative_to_the_file() {
    let text = "[server]\ntls = { cert = 'tls.crt', key = '/etc/tls.key', client_ca = 'ca.pem' }\n\
                [storage]\npath = 'state'\n[[key]]\nname = 'k'\npath = 'keys/k.pub'\n\
                [[trust]]\nname = 't'\ntrusted_root = 'root.json'\n\
                [[upstream]]\nname = 'a.io'\nurl = 'https://a.io'\nca = 'a.pem'\n";
    let config = Config::parse(text, "f", Path::new("/etc/bonafide"), &environment()).unwrap();
    let tls = config.server.tls.unwrap();
    assert_eq!(tls.cert, Path::new("/etc/bonafide/tls.crt"));
    assert_eq!(tls.key, Path::new("/etc/tls.key"));
    assert_eq!(tls.client_ca.as_deref(), Some(Path::new("/etc/bonafide/ca.pem")));
    assert_eq!(config.keys[0].path, Path::new("/etc/bonafide/keys/k.pub"));
    assert_eq!(config.trust[0].trusted_root.as_deref(), Some(Path::new("/etc/bonafide/root.json")));
    assert_eq!(config.upstreams[0].ca.as_deref(), Some(Path::new("/etc/bonafide/a.pem")));
    assert_eq!((config.content.path, config.facts.path), ("/etc/bonafide/state".into(), "/etc/bonafide/state".into()));
}

#[test]
fn tls_offers_http_2_before_http_1_unless_told_otherwise() {
    let alpn = |more: &str| {
        let text = format!("[server]\ntls = {{ cert = 'c', key = 'k'{more} }}\n");
        Config::parse(&text, "f", Path::new("/"), &environment()).map(|config| config.server.tls.unwrap().alpn)
    };
    assert_eq!(alpn("").unwrap(), [Protocol::Http2, Protocol::Http1]);
    assert_eq!(alpn(", alpn = ['http/1.1']").unwrap(), [Protocol::Http1]);
    let error = alpn(", alpn = ['http/2']").unwrap_err().to_string();
    assert!(error.contains("http/1.1"), "{error}");
}

#[test]
fn what_is_stored_goes_where_this_user_may_write() {
    let all = Environment {
        config: None,
        system_folder: Some("/var/lib/bonafide".into()),
        state_directory: Some("/run/state".into()),
        state_home: Some("/home/u/state".into()),
        home: Some("/home/u".into()),
    };
    let stored = |environment: &Environment| Config::parse("", "f", Path::new(""), environment).unwrap().content.path;
    assert_eq!(stored(&all), PathBuf::from("/var/lib/bonafide"));
    let user = Environment { system_folder: None, ..all };
    assert_eq!(stored(&user), PathBuf::from("/run/state"));
    let user = Environment { state_directory: None, ..user };
    assert_eq!(stored(&user), PathBuf::from("/home/u/state/bonafide"));
    let user = Environment { state_home: None, ..user };
    assert_eq!(stored(&user), PathBuf::from("/home/u/.local/state/bonafide"));
}

#[test]
fn whatever_weakens_a_check_is_said() {
    let text = "[[upstream]]\nname = 'a.io'\nurl = 'http://a.io'\n\
                [[trust]]\nname = 't'\ntrusted_root = 'r'\ntransparency_log = 'none'\ncertificate_timestamps = 'none'\n\
                [[key]]\nname = 'k'\npath = 'k.pub'\nwithout_log = 'allow'\n\
                [[rule]]\nname = 'open'\nimages = ['a.io/**']\nmode = 'allow'\n";
    let said = Config::parse(text, "f", Path::new(""), &environment()).unwrap().weakenings();
    for (index, words) in
        ["rule open", "trust t: transparency_log", "trust t: certificate_timestamps", "key k", "upstream a.io"]
            .iter()
            .enumerate()
    {
        assert!(said[index].starts_with(words), "{said:?}");
    }
    assert_eq!(said.len(), 5);
}

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let warnings = |text: &str| Config::parse(text, "f", Path::new(""), &environment()).unwrap().warnings;
    assert_eq!(warnings("").len(), 2);
    let upstream = "[[upstream]]\nname = 'a.io'\nurl = 'https://a.io'\n";
    let rule = |images: &str| format!("{upstream}[[rule]]\nname = 'r'\nimages = ['{images}']\nmode = 'deny'\n");
    assert_eq!(warnings(&rule("a.io/b")).len(), 0);
    assert_eq!(warnings(&rule("*/b")).len(), 0);
    assert!(warnings(&rule("b.io/b"))[0].contains("there is no [[upstream]] b.io"));
}

fn environment() -> Environment {
    Environment { home: Some("/home/u".into()), ..Environment::default() }
}

#[track_caller]
fn invalid(text: &str) -> (usize, String) {
    match Config::parse(text, "f", Path::new(""), &environment()) {
        Err(ConfigError::Invalid { line, problem, .. }) => (line, problem),
        other => panic!("{other:?} of {text}"),
    }
}
