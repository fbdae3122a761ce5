//! The one way in which commands write for people: labelled lines, indented, and trees of them.

use std::fmt::Display;
use std::io::{self, Write};
use std::mem;

/// Width of the column of labels.
const LABEL: usize = 12;

/// Writes lines to whatever it is given.
pub(in crate::cli) struct Lines<'a> {
    out: &'a mut dyn Write,
    /// What the next line begins with.
    first: String,
    /// What every line after it begins with.
    rest: String,
}

/// Whether a branch of a tree is followed by another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Branch {
    Inner,
    Last,
}

impl Branch {
    /// `items`, each with the branch that it is.
    pub(in crate::cli) fn each<T>(items: &[T]) -> impl Iterator<Item = (Self, &T)> {
        let last = items.len().saturating_sub(1);
        items.iter().enumerate().map(move |(at, item)| (if at == last { Self::Last } else { Self::Inner }, item))
    }
}

impl<'a> Lines<'a> {
    pub(in crate::cli) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, first: String::new(), rest: String::new() }
    }

    /// The same, one step to the right.
    pub(in crate::cli) fn inner(&mut self) -> Lines<'_> {
        let rest = format!("{}  ", self.rest);
        Lines { out: &mut *self.out, first: rest.clone(), rest }
    }

    /// A branch of a tree below these lines.
    pub(in crate::cli) fn branch(&mut self, branch: Branch) -> Lines<'_> {
        let (first, rest) = match branch {
            Branch::Inner => ("├── ", "│   "),
            Branch::Last => ("└── ", "    "),
        };
        Lines { first: format!("{}{first}", self.rest), rest: format!("{}{rest}", self.rest), out: &mut *self.out }
    }

    /// One line. Control characters, which evidence may carry to a terminal, are escaped.
    pub(in crate::cli) fn line(&mut self, text: impl Display) -> io::Result<()> {
        let before = mem::replace(&mut self.first, self.rest.clone());
        writeln!(self.out, "{before}{}", printable(&text.to_string()))
    }

    /// `label  value`
    pub(in crate::cli) fn field(&mut self, label: &str, value: impl Display) -> io::Result<()> {
        self.line(format_args!("{label:LABEL$}{value}"))
    }

    /// [`Self::field`], if there is a value.
    pub(in crate::cli) fn optional(&mut self, label: &str, value: Option<impl Display>) -> io::Result<()> {
        value.map_or(Ok(()), |value| self.field(label, value))
    }

    pub(in crate::cli) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_cannot_write_to_the_terminal() {
        let mut out = Vec::new();
        Lines::new(&mut out).inner().field("subject", "a\u{1b}[2Jb\n").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "  subject     a\\u{1b}[2Jb\\n\n");
    }

    #[test]
    fn branches_are_drawn_as_a_tree() {
        let mut out = Vec::new();
        let mut root = Lines::new(&mut out);
        root.line("root").unwrap();
        for (branch, name) in Branch::each(&["a", "b"]) {
            let mut lines = root.branch(branch);
            lines.line(name).unwrap();
            let mut leaf = lines.branch(Branch::Last);
            leaf.line("leaf").unwrap();
            leaf.line("more of it").unwrap();
        }
        let drawn = "root\n├── a\n│   └── leaf\n│       more of it\n└── b\n    └── leaf\n        more of it\n";
        assert_eq!(String::from_utf8(out).unwrap(), drawn);
    }
}
