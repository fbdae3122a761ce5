//! What every `--help` ends with: commands to copy, and what their exit codes mean.

pub(in crate::cli) const ALL: &str = "\
Examples:
  bonafide serve                                      serve on 127.0.0.1:5000 with the built-in policy
  bonafide --config bonafide.toml config check        is this configuration usable?
  bonafide verify registry.k8s.io/pause:3.10          would it be served, and why (not)?
  bonafide verify --json ghcr.io/acme/app@sha256:..   the same for scripts
  bonafide inspect cgr.dev/chainguard/static          everything that is proven about an image
  bonafide storage status                             how much is kept on disk
  bonafide explain wrong-identity                     what a reason means, and what to do
  bonafide policy test cases                          do the rules still say what they should?

Exit codes: 0 done or admitted, 1 failed, 2 misspelt command, 3 refused, 4 undecided, 64 bad configuration.";

pub(in crate::cli) const SERVE: &str = "\
Examples:
  bonafide serve                                      on 127.0.0.1:5000 with the built-in policy
  bonafide serve --config /etc/bonafide/bonafide.toml
  bonafide serve --log debug                          with a line for every request
  kill -TERM PID                                      stop it: what runs is finished first

Exit codes: 0 after a clean drain, 1 failed start, 64 bad configuration.";

pub(in crate::cli) const VERIFY: &str = "\
Examples:
  bonafide verify registry.k8s.io/pause:3.10
  bonafide verify --config bonafide.toml docker.io/acme/app:v1@sha256:..
  bonafide verify --json ghcr.io/acme/app@sha256:.. | jq .requirements

Exit codes: 0 admitted, 3 refused, 4 undecided: not at the upstream, or something could not be asked for.";

pub(in crate::cli) const INSPECT: &str = "\
Examples:
  bonafide inspect cgr.dev/chainguard/static
  bonafide inspect --json registry.k8s.io/pause:3.10 | jq .facts
  bonafide inspect --record cases/pause registry.k8s.io/pause:3.10
                                                      a case for bonafide policy test

Exit codes: 0 done, 1 not at the upstream, or it could not be asked.";

pub(in crate::cli) const STORAGE: &str = "\
Examples:
  bonafide storage status                             how much is kept, and how much may be
  bonafide storage prune --to 20GiB                   make room now, least recently used first
  bonafide storage pin sha256:0d1f..                  keep this content whatever happens
  bonafide storage check                              hash everything again

All of them may run beside bonafide serve.
Exit codes: 0 done, 1 failed or damage found, 64 bad configuration.";

pub(in crate::cli) const PACKAGES: &str = "\
Examples:
  bonafide packages who-has pkg:npm/axios@1.14.1      which images contain this version
  bonafide packages who-has pkg:npm/axios             which images contain any version
  bonafide packages who-has --json pkg:deb/debian/openssl | jq -r '.images[].image'

It may run beside bonafide serve, which writes the index.
Exit codes: 0 there are some, 1 failed, 3 there is none, 64 bad configuration.";

pub(in crate::cli) const CONFIG: &str = "\
Examples:
  bonafide config check                               the one that BONAFIDE_CONFIG names, else the built-in one
  bonafide config check --config bonafide.toml
  bonafide config schema > schema.json                for editors: put \"#:schema schema.json\" atop the configuration

Exit codes: 0 done, or it can be used; 64 it cannot.";

pub(in crate::cli) const EXPLAIN: &str = "\
Examples:
  bonafide explain                                    every reason, from the least telling to the most telling
  bonafide explain wrong-identity                     what it means, what to do, what it looks like

Exit codes: 0 done, 2 there is no such reason.";

pub(in crate::cli) const POLICY: &str = "\
Examples:
  bonafide inspect --record cases/pause registry.k8s.io/pause:3.10
                                                      writes cases/pause/facts.json and cases/pause/cases.toml
  bonafide policy test cases                          every cases.toml in that folder and below
  bonafide policy test --config new.toml --json cases | jq '.cases[] | select(.passed | not)'

Exit codes: 0 every case is as it expects, 1 one is not or cannot be tried, 64 bad configuration.";
