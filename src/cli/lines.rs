//! The one way in which commands write for people: labelled lines, indented.

use std::fmt::Display;
use std::io::{self, Write};

/// Width of the column of labels.
const LABEL: usize = 12;

/// Writes lines to whatever it is given.
pub(in crate::cli) struct Lines<'a> {
    out: &'a mut dyn Write,
    indent: usize,
}

impl<'a> Lines<'a> {
    pub(in crate::cli) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, indent: 0 }
    }

    /// The same, one step to the right.
    pub(in crate::cli) fn inner(&mut self) -> Lines<'_> {
        Lines { out: &mut *self.out, indent: self.indent + 2 }
    }

    /// One line. Control characters, which evidence may carry to a terminal, are escaped.
    pub(in crate::cli) fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{:indent$}{}", "", printable(&text.to_string()), indent = self.indent)
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
}
