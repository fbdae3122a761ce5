//! `bonafide explain`: what a reason means and what to do, out of the page that documents them all.

use std::io::{self, Write};

use crate::cli::lines::Lines;
use crate::policy::ReasonCode;

/// The page: a row of its table for each code, and a line of what it looks like.
const PAGE: &str = include_str!("../../docs/reasons.md");

/// What the page says of a code.
struct Entry {
    meaning: &'static str,
    remedy: &'static str,
    example: &'static str,
}

/// Reads a code from the command line.
pub(in crate::cli) fn code(text: &str) -> Result<ReasonCode, String> {
    let known = ReasonCode::ALL.into_iter().find(|code| code.to_string() == text.trim_matches(['[', ']']));
    known.ok_or_else(|| "there is no such reason; without a code, bonafide explain lists them all".to_owned())
}

/// Writes what `code` means, what to do, and what it looks like; of all codes, what they mean.
pub(in crate::cli) fn write(out: &mut dyn Write, code: Option<ReasonCode>) -> io::Result<()> {
    let mut out = Lines::new(out);
    match code {
        Some(code) => write_entry(&mut out, code),
        None => ReasonCode::ALL.iter().try_for_each(|code| write_meaning(&mut out, *code)),
    }
}

fn write_entry(out: &mut Lines<'_>, code: ReasonCode) -> io::Result<()> {
    let Some(Entry { meaning, remedy, example }) = entry(code) else { return write_meaning(out, code) };
    out.line(code)?;
    out.field("means", plain(meaning))?;
    out.field("what to do", plain(remedy))?;
    out.field("looks like", example)
}

fn write_meaning(out: &mut Lines<'_>, code: ReasonCode) -> io::Result<()> {
    let meaning = entry(code).map_or_else(|| "see docs/reasons.md".to_owned(), |entry| plain(entry.meaning));
    out.line(format_args!("{:30}{meaning}", code.to_string()))
}

fn entry(code: ReasonCode) -> Option<Entry> {
    let (row, line) = (format!("| `{code}` | "), format!("[{code}] "));
    let cells = PAGE.lines().find_map(|text| text.strip_prefix(&row))?;
    let (meaning, remedy) = cells.trim_end_matches(" |").split_once(" | ")?;
    let example = PAGE.lines().find_map(|text| text.strip_prefix(&line))?;
    Some(Entry { meaning, remedy, example })
}

/// Markdown as a terminal shows it: links by the file that they lead to.
fn plain(markdown: &str) -> String {
    let link = markdown.split_once("](").and_then(|(before, after)| {
        let (before, _) = before.rsplit_once('[')?;
        let (target, after) = after.split_once(')')?;
        Some(format!("{}docs/{target}{}", plain(before), plain(after)))
    });
    link.unwrap_or_else(|| markdown.replace('`', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_shown_by_the_file_that_they_lead_to() {
        let text = "Add a `[[rule]]`: [policy.md](policy.md), and see [base images](policy.md#base).";
        assert_eq!(plain(text), "Add a [[rule]]: docs/policy.md, and see docs/policy.md#base.");
    }

    #[test]
    fn the_page_says_of_every_reason_what_it_means_what_to_do_and_what_it_looks_like() {
        for code in ReasonCode::ALL {
            let entry = entry(code).unwrap_or_else(|| panic!("{code} has a row and an example in docs/reasons.md"));
            assert!(entry.meaning.ends_with('.') && entry.remedy.ends_with('.'), "{code} in whole sentences");
            assert!(!entry.example.ends_with('.'), "{code} looks like a reason");
        }
    }
}
