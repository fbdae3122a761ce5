//! The type checker that the interpreter lacks: a condition that could not be evaluated is refused when it is loaded,
//! not when somebody pulls.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, SelectExpr, operators};

use crate::misspelt;
use crate::policy::condition::FITS;
use crate::policy::condition::vocabulary::{Record, Type, VARIABLES};
use crate::policy::pattern::Glob;

/// Most nodes of an expression, macros expanded.
const NODES: usize = 512;
/// Deepest nesting: the interpreter recurses.
const DEPTH: usize = 48;
/// How deep lists may be gone through within each other: the work grows with that power.
const LOOPS: usize = 2;
/// What is said of a condition beyond these bounds.
pub(super) const TOO_DEEP: &str = "it is too long or too deeply nested: write several rules, or a shorter condition";

/// Checks one expression.
pub(super) struct Checker<'a> {
    /// The variables that are not there, since the rule does not demand what they are about.
    pub(super) absent: &'a [(&'static str, &'static str)],
    nodes: usize,
    /// Variables of the loops around, innermost last.
    bound: Vec<(String, Type)>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(absent: &'a [(&'static str, &'static str)]) -> Self {
        Self { absent, nodes: 0, bound: Vec::new() }
    }

    /// What is wrong with a condition.
    pub(super) fn check(mut self, expression: &IdedExpr) -> Result<(), String> {
        match self.type_of(expression, 0)? {
            Type::Bool => Ok(()),
            other @ (Type::Int | Type::Text | Type::Anything | Type::List(_) | Type::Table(_) | Type::Record(_)) => {
                Err(format!("it must be true or false, but is {}", in_words(&other)))
            }
        }
    }

    fn type_of(&mut self, expression: &IdedExpr, depth: usize) -> Result<Type, String> {
        self.nodes += 1;
        if self.nodes > NODES || depth > DEPTH {
            return Err(TOO_DEEP.to_owned());
        }
        let depth = depth + 1;
        match &expression.expr {
            Expr::Literal(literal) => literal_type(literal),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.select(select, depth),
            Expr::Call(call) => self.call(call, depth),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, depth),
            Expr::List(list) => {
                let mut item = Type::Anything;
                for element in &list.elements {
                    let found = self.type_of(element, depth)?;
                    item = same(item, found).ok_or("all entries of a list must be of one type")?;
                }
                Ok(Type::List(Box::new(item)))
            }
            Expr::Map(_) | Expr::Struct(_) => Err("there are no { } in conditions".to_owned()),
            Expr::Unspecified => Err("it is empty".to_owned()),
        }
    }

    fn variable(&self, name: &str) -> Result<Type, String> {
        if let Some((_, found)) = self.bound.iter().rev().find(|(bound, _)| bound == name) {
            return Ok(found.clone());
        }
        if let Some((_, needs)) = self.absent.iter().find(|(absent, _)| *absent == name) {
            return Err(format!("{name} is only there where the rule has {needs}: add it"));
        }
        field_of(&VARIABLES, name).ok_or_else(|| unknown("name", name, &VARIABLES))
    }

    fn select(&mut self, select: &SelectExpr, depth: usize) -> Result<Type, String> {
        let found = match self.type_of(&select.operand, depth)? {
            Type::Record(record) => {
                field_of(record, &select.field).ok_or_else(|| unknown("field", &select.field, record))?
            }
            Type::Table(value) => *value,
            other @ (Type::Bool | Type::Int | Type::Text | Type::Anything | Type::List(_)) => {
                return Err(format!("{} has no field {:?}", in_words(&other), select.field));
            }
        };
        Ok(if select.test { Type::Bool } else { found })
    }

    fn call(&mut self, call: &CallExpr, depth: usize) -> Result<Type, String> {
        let mut types = Vec::new();
        for part in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
            types.push(self.type_of(part, depth)?);
        }
        if call.target.is_some() && call.func_name == FITS {
            check_glob(call)?;
        }
        let name = call.func_name.as_str();
        let found = if call.target.is_some() { method(name, &types) } else { function(name, &types) };
        found.ok_or_else(|| {
            let types: Vec<_> = types.iter().map(in_words).collect();
            format!(
                "there is no {} for {}: there are == != < <= > >= && || ! ?: in + - [ ], size(), has(), .startsWith(), \
                 .endsWith(), .contains(), .{FITS}() with a glob, .all(), .exists(), .exists_one(), .filter() and .map()",
                operators_name(name),
                types.join(" and ")
            )
        })
    }

    fn comprehension(&mut self, it: &ComprehensionExpr, depth: usize) -> Result<Type, String> {
        let item = match self.type_of(&it.iter_range, depth)? {
            Type::List(item) => *item,
            Type::Table(_) => Type::Text,
            other @ (Type::Bool | Type::Int | Type::Text | Type::Anything | Type::Record(_)) => {
                return Err(format!("{} is no list to go through", in_words(&other)));
            }
        };
        let accumulated = self.type_of(&it.accu_init, depth)?;
        if self.bound.len() >= 2 * LOOPS {
            return Err(format!("lists can be gone through within each other {LOOPS} deep at most"));
        }
        self.bound.push((it.iter_var.clone(), item));
        self.bound.push((it.accu_var.clone(), accumulated.clone()));
        let checked = self.loop_of(it, accumulated, depth);
        self.bound.truncate(self.bound.len() - 2);
        checked
    }

    fn loop_of(&mut self, it: &ComprehensionExpr, accumulated: Type, depth: usize) -> Result<Type, String> {
        if it.iter_var2.is_some() {
            return Err("lists are gone through with one name".to_owned());
        }
        let goes_on = self.type_of(&it.loop_cond, depth)?;
        let next = self.type_of(&it.loop_step, depth)?;
        let next = same(accumulated, next).filter(|_| goes_on == Type::Bool);
        let next = next.ok_or("what is asked of each entry of a list must be true or false")?;
        // The list that is built is known only now.
        if let Some((_, bound)) = self.bound.last_mut() {
            *bound = next;
        }
        self.type_of(&it.result, depth)
    }
}

fn literal_type(literal: &LiteralValue) -> Result<Type, String> {
    match literal {
        LiteralValue::Boolean(_) => Ok(Type::Bool),
        LiteralValue::Int(_) => Ok(Type::Int),
        LiteralValue::String(_) => Ok(Type::Text),
        LiteralValue::Bytes(_) | LiteralValue::Double(_) | LiteralValue::Null | LiteralValue::UInt(_) => {
            Err("it may hold texts, whole numbers, true and false, and nothing else".to_owned())
        }
    }
}

fn function(name: &str, types: &[Type]) -> Option<Type> {
    match types {
        [one] => of_one(name, one),
        [left, right] => of_two(name, left.clone(), right.clone()),
        [Type::Bool, yes, no] if name == operators::CONDITIONAL => same(yes.clone(), no.clone()),
        _ => None,
    }
}

fn of_one(name: &str, of: &Type) -> Option<Type> {
    match (name, of) {
        (operators::LOGICAL_NOT | operators::NOT_STRICTLY_FALSE, Type::Bool) => Some(Type::Bool),
        (operators::NEGATE, Type::Int) | ("size", Type::Text | Type::List(_) | Type::Table(_)) => Some(Type::Int),
        (
            _,
            Type::Bool | Type::Int | Type::Text | Type::Anything | Type::List(_) | Type::Table(_) | Type::Record(_),
        ) => None,
    }
}

fn of_two(name: &str, left: Type, right: Type) -> Option<Type> {
    match name {
        operators::LOGICAL_AND | operators::LOGICAL_OR => {
            (left == Type::Bool && right == Type::Bool).then_some(Type::Bool)
        }
        operators::EQUALS | operators::NOT_EQUALS => same(left, right).filter(is_comparable).map(|_| Type::Bool),
        operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS => {
            same(left, right).filter(|both| matches!(both, Type::Int | Type::Text)).map(|_| Type::Bool)
        }
        operators::ADD => match (left, right) {
            (Type::Int, Type::Int) => Some(Type::Int),
            // Texts are not: a text that grows in a loop has no bound.
            (Type::List(left), Type::List(right)) => same(*left, *right).map(|item| Type::List(Box::new(item))),
            _ => None,
        },
        operators::SUBSTRACT => (left == Type::Int && right == Type::Int).then_some(Type::Int),
        operators::IN => match right {
            Type::List(item) => same(left, *item).filter(is_comparable).map(|_| Type::Bool),
            Type::Table(_) => (left == Type::Text).then_some(Type::Bool),
            Type::Bool | Type::Int | Type::Text | Type::Anything | Type::Record(_) => None,
        },
        operators::INDEX => match (left, right) {
            (Type::List(item), Type::Int) => Some(*item),
            (Type::Table(value), Type::Text) => Some(*value),
            _ => None,
        },
        _ => None,
    }
}

fn method(name: &str, types: &[Type]) -> Option<Type> {
    let texts = matches!(types, [Type::Text, Type::Text]);
    match name {
        "startsWith" | "endsWith" | "contains" | FITS => texts.then_some(Type::Bool),
        "size" => matches!(types, [Type::Text | Type::List(_) | Type::Table(_)]).then_some(Type::Int),
        _ => None,
    }
}

/// A pattern must be one, and be there: one out of the evidence would let its author choose what it fits.
fn check_glob(call: &CallExpr) -> Result<(), String> {
    match call.args.first().map(|pattern| &pattern.expr) {
        Some(Expr::Literal(LiteralValue::String(text))) => {
            Glob::new(text.inner()).map(drop).map_err(|error| error.to_string())
        }
        _ => Err(format!("{FITS}() takes a glob between quotes")),
    }
}

/// The type that both are.
fn same(left: Type, right: Type) -> Option<Type> {
    match (left, right) {
        (Type::Anything, other) | (other, Type::Anything) => Some(other),
        (Type::List(left), Type::List(right)) => same(*left, *right).map(|item| Type::List(Box::new(item))),
        (left, right) => (left == right).then_some(left),
    }
}

fn is_comparable(of: &Type) -> bool {
    match of {
        Type::Bool | Type::Int | Type::Text | Type::Anything => true,
        Type::List(item) => is_comparable(item),
        Type::Table(_) | Type::Record(_) => false,
    }
}

fn field_of(record: &Record, name: &str) -> Option<Type> {
    record.fields.iter().find(|(field, _)| *field == name).map(|(_, field)| Type::from(*field))
}

fn unknown(what: &str, name: &str, record: &Record) -> String {
    let known: Vec<_> = record.fields.iter().map(|(field, _)| *field).collect();
    let hint = misspelt::hint(name, &known);
    format!("a {} has no {what} {name:?}{hint} (known are {})", record.name, known.join(", "))
}

fn operators_name(name: &str) -> String {
    name.trim_start_matches('@').replace('_', " ").trim().to_owned()
}

fn in_words(of: &Type) -> String {
    match of {
        Type::Bool => "true or false".to_owned(),
        Type::Int => "a number".to_owned(),
        Type::Text => "a text".to_owned(),
        Type::Anything => "nothing".to_owned(),
        Type::List(item) => format!("a list (each {})", in_words(item)),
        Type::Table(value) => format!("a table (each {})", in_words(value)),
        Type::Record(record) => format!("a {}", record.name),
    }
}
