//! `condition`: an expression (CEL) over the facts that met the other requirements of a rule.
//!
//! It is checked when it is loaded, with its types, and bounded in length, depth and loops. What cannot be evaluated is
//! not met: an error never admits.

mod check;
mod vocabulary;

use std::fmt;
use std::sync::Arc;
use std::thread;

use cel::extractors::This;
use cel::{Context, Env, Program, Value};
use serde::Serialize;

use crate::policy::condition::check::Checker;
use crate::policy::condition::vocabulary::{
    BuiltValue, DocumentValue, SBOMS, SCANS, SIGNATURES, SUMMARIES, ScanValue, SignatureValue, SummaryValue, VEX,
    VexValue,
};
use crate::policy::error::{Place, PolicyError, PolicyProblem};
use crate::policy::pattern::Glob;
use crate::policy::provenance::Built;
use crate::policy::reason::{because, shown};
use crate::policy::settings::RuleSettings;
use crate::policy::{Reason, ReasonCode};
use crate::verify::Fact;

/// Longest condition, in bytes.
const LENGTH: usize = 4096;
/// Deepest nesting of brackets, and most choices (`?`), that are read at all: the parser calls itself for each.
const NESTED: usize = 32;
/// The stack for reading a condition: the parser walks chains such as `1+1+..` by calling itself, and as many as fit
/// [`LENGTH`] take up to some 20 MiB of it. An ordinary stack would overflow, and the process end.
const STACK: usize = 64 * 1024 * 1024;
/// Most facts of a kind that a condition goes through.
const FACTS: usize = 64;
/// The lists that it may go through.
const LISTS: [&str; 5] = [SIGNATURES, SBOMS, SUMMARIES, VEX, SCANS];
/// Whether a text fits a glob: regular expressions in CEL are not anchored (GHSA-46mp-8w32-6g94).
const FITS: &str = "fits";

/// A condition, compiled.
pub(super) struct Condition {
    text: Box<str>,
    program: Program,
    env: Arc<Env>,
}

/// The facts that a condition is asked about.
pub(super) struct Asked<'a> {
    pub(super) image: String,
    pub(super) tag: &'a str,
    pub(super) digest: String,
    pub(super) now: i64,
    pub(super) signatures: Vec<&'a Arc<Fact>>,
    pub(super) sboms: Vec<&'a Arc<Fact>>,
    pub(super) summaries: Vec<&'a Arc<Fact>>,
    pub(super) vex: Vec<&'a Arc<Fact>>,
    pub(super) scans: Vec<&'a Arc<Fact>>,
}

impl Condition {
    /// Reads and checks `text`.
    pub(super) fn compile(text: &str, rule: &RuleSettings, at: &Place) -> Result<Self, PolicyError> {
        let problem = |problem: String| at.problem(PolicyProblem::Condition(problem));
        if text.len() > LENGTH {
            return Err(problem(format!("it is longer than {LENGTH} bytes: write several rules")));
        }
        if is_nested_too_deeply(text) {
            return Err(problem(check::TOO_DEEP.to_owned()));
        }
        let env = Env::stdlib();
        let read = || {
            let program = env.compile(text).map_err(|error| shown(&error.to_string()))?;
            Checker::new(&absent(rule)).check(program.expression())?;
            Ok(program)
        };
        let program = on_large_stack(read).map_err(problem)?;
        Ok(Self { text: text.into(), program, env: Arc::new(env) })
    }

    /// Whether what was not seen could answer it otherwise: it goes through all that there is.
    pub(super) fn asks_for_all(&self) -> bool {
        LISTS.into_iter().any(|list| self.names(list))
    }

    /// Whether it is about the provenance.
    pub(super) fn is_about_provenance(&self) -> bool {
        self.names(vocabulary::PROVENANCE)
    }

    fn names(&self, variable: &str) -> bool {
        self.program.references().has_variable(variable)
    }

    /// Why it is not met.
    pub(super) fn check(&self, asked: &Asked<'_>, built: Option<(&Fact, Built<'_>)>) -> Result<(), Reason> {
        match self.evaluate(asked, built) {
            Ok(Value::Bool(true)) => Ok(()),
            Ok(Value::Bool(false)) => self.fails("is not true"),
            Ok(_) => self.fails("is neither true nor false"),
            Err(error) => self.fails(&format!("cannot be evaluated: {error}")),
        }
    }

    fn fails(&self, how: &str) -> Result<(), Reason> {
        because(ReasonCode::ConditionFailed, format!("the condition {} {}", shown(&self.text), shown(how)))
    }

    fn evaluate(&self, asked: &Asked<'_>, built: Option<(&Fact, Built<'_>)>) -> Result<Value, String> {
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.add_function(FITS, fits).map_err(|error| error.to_string())?;
        context.add_variable_from_value("image", asked.image.as_str());
        context.add_variable_from_value("tag", asked.tag);
        context.add_variable_from_value("digest", asked.digest.as_str());
        context.add_variable_from_value("now", asked.now);
        self.add_list(&mut context, SIGNATURES, &asked.signatures, |fact| Some(SignatureValue::of(fact)))?;
        self.add_list(&mut context, SBOMS, &asked.sboms, document)?;
        self.add_list(&mut context, SUMMARIES, &asked.summaries, summary)?;
        self.add_list(&mut context, VEX, &asked.vex, vex)?;
        self.add_list(&mut context, SCANS, &asked.scans, scan)?;
        if let Some((fact, built)) = built {
            context.add_variable_from_value(vocabulary::PROVENANCE, value_of(&BuiltValue::of(fact, &built))?);
        }
        self.program.execute(&context).map_err(|error| error.to_string())
    }

    /// A part of a list would answer for the whole: where there are too many facts, there is no answer.
    fn add_list<'a, V: Serialize>(
        &self,
        context: &mut Context<'_, '_>,
        list: &'static str,
        facts: &[&'a Arc<Fact>],
        value: impl Fn(&'a Fact) -> Option<V>,
    ) -> Result<(), String> {
        if !self.names(list) {
            return Ok(());
        }
        if facts.len() > FACTS {
            return Err(format!("there are more than {FACTS} {list}"));
        }
        let all: Vec<_> = facts.iter().filter_map(|fact| value(fact)).collect();
        context.add_variable_from_value(list, value_of(&all)?);
        Ok(())
    }
}

/// Whether reading `text` would need more stack than there is. Brackets inside of texts count as well: to tell them apart
/// would take the parser that is to be spared.
fn is_nested_too_deeply(text: &str) -> bool {
    let (mut open, mut choices) = (0_usize, 0_usize);
    text.bytes().any(|byte| {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            b'?' => choices += 1,
            _ => {}
        }
        open > NESTED || choices > NESTED
    })
}

/// What `read` returns, run where there is room for it.
fn on_large_stack<T: Send>(read: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    thread::scope(|scope| {
        let reading = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, read);
        let reading = reading.map_err(|error| format!("it cannot be read now: {error}"))?;
        reading.join().unwrap_or_else(|_| Err("it cannot be read".to_owned()))
    })
}

/// What `rule` does not demand cannot be spoken of; each name with what would have to be there.
fn absent(rule: &RuleSettings) -> Vec<(&'static str, &'static str)> {
    let signatures = (!rule.signature.is_empty(), "a [[rule.signature]]");
    let provenance = (rule.provenance.is_some(), "a [rule.provenance]");
    let sbom = (rule.sbom.is_some(), "a [rule.sbom]");
    let verifiers = rule.provenance.as_ref().is_some_and(|block| block.verifiers.is_some());
    let summaries = (verifiers || signatures.0, "verifiers in [rule.provenance], or a [[rule.signature]]");
    let all = [
        (SIGNATURES, signatures),
        (vocabulary::PROVENANCE, provenance),
        (SBOMS, sbom),
        (SUMMARIES, summaries),
        (VEX, signatures),
        (SCANS, signatures),
    ];
    all.into_iter().filter(|(_, (is_there, _))| !is_there).map(|(name, (_, needs))| (name, needs)).collect()
}

fn document(fact: &Fact) -> Option<DocumentValue<'_>> {
    let sbom = fact.claim().sbom()?;
    Some(DocumentValue::of(fact, sbom.format, &sbom.version, sbom.packages.len()))
}

fn summary(fact: &Fact) -> Option<SummaryValue<'_>> {
    fact.claim().summary().map(|said| SummaryValue::of(fact, said))
}

fn vex(fact: &Fact) -> Option<VexValue<'_>> {
    fact.claim().vex().map(|said| VexValue::of(fact, said))
}

fn scan(fact: &Fact) -> Option<ScanValue<'_>> {
    fact.claim().scan().map(|said| ScanValue::of(fact, said))
}

fn value_of(value: &impl Serialize) -> Result<Value, String> {
    cel::to_value(value).map_err(|error| error.to_string())
}

/// The pattern was checked when the condition was loaded; what is none fits nothing.
#[expect(clippy::needless_pass_by_value, reason = "the interpreter hands over what it owns")]
fn fits(This(text): This<Arc<String>>, pattern: Arc<String>) -> bool {
    Glob::new(&pattern).is_ok_and(|glob| glob.matches(&text))
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_choices_within_each_other_are_counted() {
        for (open, close) in [("(", ")"), ("[", "]"), ("{", "}")] {
            let nested = |depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert!(!is_nested_too_deeply(&nested(NESTED).repeat(2)), "one after another is not within each other");
            assert!(is_nested_too_deeply(&nested(NESTED + 1)));
        }
        assert!(!is_nested_too_deeply(&"a?b:".repeat(NESTED)));
        assert!(is_nested_too_deeply(&"a?b:".repeat(NESTED + 1)));
    }
}
