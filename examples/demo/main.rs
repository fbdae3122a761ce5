//! The whole of Bonafide in one process: `cargo run --release --example demo`.
//!
//! An upstream registry with releases that are proven and releases that are not, the real proxy before it, and a client
//! that pulls them as a runtime would. Prints what was asked, what was decided, and why; ends with an error if anything
//! is not as it must be.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a demonstration ends where something is wrong, and talks to whoever started it"
)]

mod pull;
mod stage;
#[path = "../../tests/it/support/mod.rs"]
mod support;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use bonafide::app::App;
use bonafide::clock::SystemClock;
use bonafide::config::{Config, Environment};
use tokio::sync::oneshot;

use crate::pull::{Client, Outcome};
use crate::stage::{Expected, Scene};
use crate::support::authority::Authority;
use crate::support::registry::Registry;

#[tokio::main]
async fn main() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("corp");
    authority.trusted_root().write_to(folder.path());
    let upstream = Registry::start().await;
    let scenes = stage::set(&authority, &upstream);
    let app = App::build(configure(folder.path(), &upstream), Arc::new(SystemClock)).await.unwrap();
    let client = Client::new(&app.url());
    let (stop, stopped) = oneshot::channel::<()>();
    let watch = async {
        let wrong = play(&client, &scenes).await;
        drop(stop);
        wrong
    };
    let run = app.run(async { drop(stopped.await) });
    let ((), wrong) = tokio::join!(Box::pin(run), watch);
    println!("{} of {} as it must be", scenes.len() - wrong, scenes.len());
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The configuration that an operator would write for the upstream.
fn configure(folder: &Path, upstream: &Registry) -> Config {
    let file = folder.join("bonafide.toml");
    let text = stage::CONFIGURATION.replace("{upstream}", &upstream.url());
    std::fs::write(&file, text.replace("{folder}", &folder.display().to_string())).unwrap();
    Config::load(Some(&file), &Environment::default()).unwrap()
}

/// Asks for everything, prints what came of it, and says how often that was wrong.
async fn play(client: &Client, scenes: &[Scene]) -> usize {
    let mut wrong = 0;
    for scene in scenes {
        let outcome = client.ask(&scene.asked).await;
        let right = is_as_expected(&scene.expected, &outcome);
        wrong += usize::from(!right);
        let mark = if right { "" } else { "   <-- NOT AS IT MUST BE" };
        println!("{}{mark}\n  asked    {}\n  {:<8} {}\n", scene.story, scene.asked, outcome.word(), outcome.why());
    }
    wrong
}

fn is_as_expected(expected: &Expected, outcome: &Outcome) -> bool {
    match (expected, outcome) {
        (Expected::Served { manifests }, Outcome::Served { manifests: seen, .. }) => manifests == seen,
        (Expected::Refused { because }, Outcome::Refused { message }) => message.contains(because),
        (Expected::Cut, Outcome::Cut { .. }) => true,
        (Expected::Served { .. } | Expected::Refused { .. } | Expected::Cut, _) => false,
    }
}
