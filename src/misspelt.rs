//! What somebody probably meant who wrote a name that is not there.

/// How many letters a name may be misspelt in to be taken for another.
const MISSPELT: usize = 3;

/// `; did you mean {name}?`, if `written` is nearly one of the `known` names; else nothing.
pub fn hint(written: &str, known: &[&str]) -> String {
    meant(written, known).map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

fn meant<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let (misspelt, name) = known.iter().map(|name| (distance(written, name), *name)).min()?;
    (misspelt <= MISSPELT.min(name.len() / 2)).then_some(name)
}

/// How many letters must be added, dropped or changed to get from one word to the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, a) in one.bytes().enumerate() {
        let mut left = index + 1;
        let mut next = vec![left];
        for (pair, b) in row.windows(2).zip(other.bytes()) {
            let (diagonal, above) = (pair.first().copied().unwrap_or(0), pair.last().copied().unwrap_or(0));
            left = (diagonal + usize::from(a != b)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_meant_that_is_a_few_letters_away_and_no_other() {
        let known = ["signed_at", "subject", "log"];
        for (written, said) in [
            ("subjct", "; did you mean subject?"),
            ("sined_at", "; did you mean signed_at?"),
            ("lgo", ""),
            ("package", ""),
            ("", ""),
        ] {
            assert_eq!(hint(written, &known), said, "{written}");
        }
        assert_eq!(hint("anything", &[]), "");
    }
}
