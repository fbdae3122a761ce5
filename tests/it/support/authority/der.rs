//! The few DER encodings (X.690) that certificates and timestamps are made of: written by hand, so that the same
//! input gives the same bytes, and so that a test can also write what no library would.

/// One value: tag, length, content.
pub(crate) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    if let 0..128 = length {
        out.push(u8::try_from(length).unwrap());
    } else {
        let bytes = length.to_be_bytes();
        let used = &bytes[bytes.iter().position(|byte| *byte != 0).unwrap()..];
        out.push(0x80 | u8::try_from(used.len()).unwrap());
        out.extend_from_slice(used);
    }
    out.extend_from_slice(content);
    out
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    value(0x30, &parts.concat())
}

/// A SET OF: DER wants its members sorted.
pub(crate) fn set_of<const N: usize>(mut parts: [Vec<u8>; N]) -> Vec<u8> {
    parts.sort();
    value(0x31, &parts.concat())
}

pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> = dotted.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut content = Vec::new();
    push_arc(&mut content, arcs[0] * 40 + arcs[1]);
    arcs[2..].iter().for_each(|arc| push_arc(&mut content, *arc));
    value(0x06, &content)
}

fn push_arc(content: &mut Vec<u8>, arc: u64) {
    let groups = (64 - arc.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let bits = u8::try_from((arc >> (7 * group)) & 0x7f).unwrap();
        content.push(if group == 0 { bits } else { bits | 0x80 });
    }
}

/// A positive INTEGER from its big-endian bytes.
pub(crate) fn integer(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let mut content = bytes[first..].to_vec();
    if content.first().is_none_or(|byte| byte & 0x80 != 0) {
        content.insert(0, 0);
    }
    value(0x02, &content)
}

pub(crate) fn octets(content: &[u8]) -> Vec<u8> {
    value(0x04, content)
}

pub(crate) fn bits(content: &[u8]) -> Vec<u8> {
    value(0x03, &[&[0], content].concat())
}

pub(crate) fn utf8(text: &str) -> Vec<u8> {
    value(0x0c, text.as_bytes())
}

pub(crate) fn null() -> Vec<u8> {
    value(0x05, &[])
}

pub(crate) fn boolean(flag: bool) -> Vec<u8> {
    value(0x01, &[if flag { 0xff } else { 0 }])
}

/// A constructed value of context class: `[number]` with the content inside.
pub(crate) fn context(number: u8, content: &[u8]) -> Vec<u8> {
    value(0xa0 | number, content)
}

/// `UTCTime`, for 1950 to 2049.
pub(crate) fn utc_time(at: jiff::Timestamp) -> Vec<u8> {
    value(0x17, at.strftime("%y%m%d%H%M%SZ").to_string().as_bytes())
}

pub(crate) fn generalized_time(at: jiff::Timestamp) -> Vec<u8> {
    value(0x18, at.strftime("%Y%m%d%H%M%SZ").to_string().as_bytes())
}

/// A value read back: its tag, its content, and itself whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// The values that stand one after the other in `der`; `None` if they do not fill it exactly.
pub(crate) fn values(mut der: &[u8]) -> Option<Vec<Value<'_>>> {
    let mut out = Vec::new();
    while !der.is_empty() {
        let (tag, first) = (*der.first()?, usize::from(*der.get(1)?));
        let (header, length) = if let 0..128 = first {
            (2, first)
        } else {
            let count = first & 0x7f;
            let digits = der.get(2..2 + count).filter(|digits| digits.len() <= 4)?;
            (2 + count, digits.iter().fold(0, |sum, digit| (sum << 8) | usize::from(*digit)))
        };
        let whole = der.get(..header + length)?;
        out.push(Value { tag, content: &whole[header..], whole });
        der = &der[header + length..];
    }
    Some(out)
}

/// PEM armour around `der`.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// What stands inside the first PEM block of `text`.
pub(crate) fn unpem(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let inside = text.split("-----").nth(2)?;
    let joined: String = inside.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(joined).ok()
}
