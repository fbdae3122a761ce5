//! What is asked for together over HTTP/2 and TLS is answered together: looked at record by record.

use std::io::{Read as _, Write as _};

use super::*;

/// Long enough for an answer to be a frame that h2 writes by itself.
const PATH_BYTES: usize = 600;
const ANSWERS: usize = 4;

/// A frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET` of `path`: method and scheme out of the static table, path and authority as they are (RFC 7541, section 6).
fn get(stream: u32, path: &str) -> Vec<u8> {
    let beyond = path.len() - 127;
    let length = [0x7f, u8::try_from(beyond % 128).unwrap() | 0x80, u8::try_from(beyond / 128).unwrap()];
    let head = [&[0x82, 0x87, 0x04], &length[..], path.as_bytes(), &[0x01, 1, b'm']].concat();
    frame(1, 0x5, stream, &head)
}

/// The lengths of the records that `bytes` begin with (RFC 8446, section 5.1).
fn records(mut bytes: &[u8]) -> Vec<usize> {
    let mut lengths = Vec::new();
    while let [_, _, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        lengths.push(length);
        bytes = rest.get(length..).unwrap_or_default();
    }
    lengths
}

#[tokio::test]
async fn answers_to_what_was_asked_together_leave_in_one_record() {
    let certificates = Certificates::new();
    let server = Server::start(Limits::STANDARD, Some(&certificates.settings(None))).await;
    let stream = certificates.connect(server.address, &[b"h2"], Shows::Nothing).await.unwrap();
    let (mut tcp, mut tls) = stream.into_inner();
    let path = format!("/{}", "p".repeat(PATH_BYTES - 1));
    let mut asked = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, &[])[..]].concat();
    (0..ANSWERS).for_each(|request| asked.extend(get(2 * u32::try_from(request).unwrap() + 1, &path)));
    tls.writer().write_all(&asked).unwrap();
    let mut sent = Vec::new();
    tls.write_tls(&mut sent).unwrap();
    tcp.write_all(&sent).await.unwrap();

    let (mut received, mut answers) = (Vec::new(), Vec::new());
    while String::from_utf8_lossy(&answers).matches(&path).count() < ANSWERS {
        let mut bytes = [0; 16 * 1024];
        let read = tcp.read(&mut bytes).await.unwrap();
        assert!(read > 0, "it closed");
        received.extend_from_slice(&bytes[..read]);
        let mut bytes = &bytes[..read];
        while !bytes.is_empty() {
            tls.read_tls(&mut bytes).unwrap();
            let state = tls.process_new_packets().unwrap();
            let mut plain = vec![0; state.plaintext_bytes_to_read()];
            tls.reader().read_exact(&mut plain).unwrap();
            answers.extend(plain);
        }
    }
    let records = records(&received);
    assert!(records.iter().any(|&length| length > ANSWERS * PATH_BYTES), "{records:?}");
}
