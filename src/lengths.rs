//! Lengths in certificates and timestamps (DER), held against what there is before anything is decoded.
//!
//! `der` allocates as many bytes as a length claims, 256 MiB at most, and looks only then whether they are there: one
//! forged byte in a certificate would end a process that has no such memory to spare.

/// What a length may claim without being there: a decoder that allocates it notices soon enough.
const HARMLESS: usize = 64 * 1024;
/// Deepest nesting that is read: certificates within timestamps have some twenty levels.
const DEPTH: usize = 48;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// `[0]`, constructed.
const TAGGED: u8 = 0xa0;
const CONSTRUCTED: u8 = 0x20;
const CLASS: u8 = 0xc0;
const CONTEXT_SPECIFIC: u8 = 0x80;

/// Whether no length that a decoder of `der` comes across claims more than there is. Need not be DER.
pub(crate) fn are_there(der: &[u8]) -> bool {
    hold(der, Place::Message, 0)
}

/// Where elements stand, since it tells which of them a decoder looks into.
#[derive(Clone, Copy)]
enum Place {
    /// In a certificate, or a signed message. A decoder that expects an implicitly tagged list looks into what has its tag
    /// and says to be primitive, and finds that out afterwards.
    Message,
    /// What a message is about (`EncapsulatedContentInfo`, RFC 5652, 5.2): DER, whatever it is tagged.
    Content,
    /// In an extension of a certificate: identifiers of keys are tagged so, and any bytes.
    Extension,
}

/// An element: its tag, and what is in it.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
}

/// What stands at the start of some bytes.
enum Start<'a> {
    Element(Element<'a>, &'a [u8]),
    /// A length that claims more than there is.
    Claim(usize),
    /// Nothing that a decoder reads on from.
    End,
}

fn hold(mut rest: &[u8], place: Place, depth: usize) -> bool {
    let (mut first, mut count) = (None, 0_usize);
    loop {
        let element = match start(rest) {
            Start::Element(element, after) => {
                rest = after;
                element
            }
            Start::Claim(length) => return length < HARMLESS,
            Start::End => return true,
        };
        let around = Around { first: *first.get_or_insert(element.tag), index: count };
        count += 1;
        if !around.holds(&element, place, depth) {
            return false;
        }
    }
}

/// What stands beside an element.
struct Around {
    /// The tag of the first element in the same one.
    first: u8,
    /// How many stand before.
    index: usize,
}

impl Around {
    fn holds(&self, element: &Element<'_>, place: Place, depth: usize) -> bool {
        let Some(inside) = self.inside(element.tag, place) else { return true };
        depth < DEPTH && hold(element.content, inside, depth + 1)
    }

    /// How a decoder looks into an element, if one does.
    fn inside(&self, tag: u8, place: Place) -> Option<Place> {
        // By the identifier that stands first, which is neither tagged nor a string itself.
        let is_named = self.first == OBJECT_IDENTIFIER;
        match place {
            Place::Content => Some(Place::Message),
            Place::Message if is_named && tag == TAGGED => Some(Place::Content),
            // Extensions (RFC 5280, 4.1): an identifier, and DER in a string.
            Place::Message if is_named && tag == OCTET_STRING => Some(Place::Extension),
            Place::Message | Place::Extension if tag & CONSTRUCTED != 0 => Some(place),
            // A signer may be named by the identifier of its key (RFC 5652, 5.3).
            Place::Message if tag & CLASS == CONTEXT_SPECIFIC && !self.names_signer() => Some(place),
            Place::Message | Place::Extension => None,
        }
    }

    /// Second, after the version: where `SignerInfo` says who signed.
    fn names_signer(&self) -> bool {
        self.first == INTEGER && self.index == 1
    }
}

fn start(bytes: &[u8]) -> Start<'_> {
    let Some((&tag, rest)) = bytes.split_first() else { return Start::End };
    let Some((length, rest)) = length(rest) else { return Start::End };
    match rest.split_at_checked(length) {
        Some((content, after)) => Start::Element(Element { tag, content }, after),
        None => Start::Claim(length),
    }
}

/// A length in the forms that decoders take (X.690, 10.1): one byte, or up to four that are counted by one before them.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&head, rest) = bytes.split_first()?;
    match head {
        0..=0x7f => Some((usize::from(head), rest)),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(head & 0x7f))?;
            Some((length.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 256 MiB, less one.
    const CLAIM: [u8; 5] = [0x84, 0x0f, 0xff, 0xff, 0xff];

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], &length[..], content].concat()
    }

    /// An element of which only the length is there.
    fn claim(tag: u8) -> Vec<u8> {
        [&[tag], &CLAIM[..]].concat()
    }

    fn holds(der: &[u8]) -> bool {
        are_there(der)
    }

    fn sequence(elements: &[&[u8]]) -> Vec<u8> {
        element(0x30, &elements.concat())
    }

    const OID: [u8; 3] = [OBJECT_IDENTIFIER, 1, 0x2a];

    #[test]
    fn a_length_that_claims_more_than_there_is_is_refused() {
        for tag in [OCTET_STRING, INTEGER, 0x03, 0x0c, 0x30, 0xa0, 0x80] {
            assert!(!holds(&claim(tag)), "{tag:#x}");
            assert!(!holds(&sequence(&[&OID, &claim(tag)])), "{tag:#x}");
            assert!(!holds(&sequence(&[&OID, &element(0x31, &claim(tag))])), "{tag:#x}");
        }
    }

    #[test]
    fn a_length_of_what_encloses_it_is_all_there_is() {
        let inner = [OCTET_STRING, 0x83, 0x01, 0, 0];
        let after = vec![0; 0x1_0000];
        assert!(!holds(&[sequence(&[&inner]), after.clone()].concat()));
        assert!(holds(&[&inner[..], &after].concat()));
    }

    #[test]
    fn extensions_and_contents_are_looked_into() {
        let extension = sequence(&[&OID, &element(OCTET_STRING, &sequence(&[&claim(0x0c)]))]);
        assert!(!holds(&extension));
        let critical = sequence(&[&OID, &[1, 1, 0xff], &element(OCTET_STRING, &claim(0x0c))]);
        assert!(!holds(&critical));
        for tag in [OCTET_STRING, 0x0c, 0x85] {
            let content = sequence(&[&OID, &element(0xa0, &element(tag, &sequence(&[&claim(0x02)])))]);
            assert!(!holds(&content), "{tag:#x}");
        }
    }

    #[test]
    fn what_says_to_be_primitive_and_is_decoded_as_a_list_is_looked_into() {
        let attributes = element(0x80, &sequence(&[&claim(0x04)]));
        assert!(!holds(&sequence(&[&[INTEGER, 1, 1], &sequence(&[]), &attributes])));
    }

    #[test]
    fn identifiers_of_keys_and_texts_of_names_may_look_like_lengths() {
        let identifier = element(0x80, &claim(0x04));
        assert!(holds(&sequence(&[&[INTEGER, 1, 1], &identifier])));
        assert!(holds(&sequence(&[&OID, &element(OCTET_STRING, &sequence(&[&identifier]))])));
        assert!(holds(&element(0x03, &claim(0x04))));
        assert!(holds(&sequence(&[&OID, &element(0x0c, &claim(0x04))])));
    }

    #[test]
    fn what_nests_deeper_than_any_certificate_is_refused() {
        let nested = |depth| (0..depth).fold(Vec::new(), |inner, _| element(0x30, &inner));
        assert!(holds(&nested(DEPTH)));
        assert!(!holds(&nested(DEPTH + 1)));
    }

    #[test]
    fn what_decoders_stop_at_is_left_to_them() {
        for der in [&[][..], &[0x30], &[0x30, 0x80], &[0x30, 0x85, 0xff, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x84, 0xff]] {
            assert!(holds(der), "{der:?}");
        }
        assert!(holds(&[OCTET_STRING, 0x82, 0xff, 0xff]));
    }
}
