//! Changes to an event stream: whole messages move, and what is in them changes under right checksums.

use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedMutRandom, IndexedRandom};

use super::{json, raw};

/// The messages at the beginning of `bytes`, and what is left.
pub fn split(bytes: &[u8]) -> (Vec<Bytes>, Bytes) {
    let mut rest = Bytes::copy_from_slice(bytes);
    let mut messages = Vec::new();
    while let Some(prelude) = rest.first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*prelude)).unwrap_or(usize::MAX);
        if length > rest.len() || read_message_from(rest.as_ref()).is_err() {
            break;
        }
        messages.push(rest.split_to(length));
    }
    (messages, rest)
}

/// One change.
pub fn mutate(chance: &mut StdRng, stream: &mut Vec<u8>, other: &[u8]) {
    let (mut messages, rest) = split(stream);
    if messages.is_empty() {
        return raw::mutate(chance, stream, other);
    }
    let at = chance.random_range(0..messages.len());
    match chance.random_range(0..8) {
        0 => drop(messages.remove(at)),
        1 => messages.insert(at, messages[at].clone()),
        2 => {
            let to = chance.random_range(0..messages.len());
            messages.swap(at, to);
        }
        3 => messages.truncate(at),
        4 => {
            let theirs = split(other).0;
            messages.insert(at, theirs.choose(chance).cloned().unwrap_or_default());
        }
        5 => {
            let mut bytes = messages[at].to_vec();
            raw::mutate(chance, &mut bytes, other);
            messages[at] = bytes.into();
        }
        _ => {
            if let Ok(message) = read_message_from(messages[at].as_ref()) {
                messages[at] = inside(chance, &message);
            }
        }
    }
    *stream = messages.concat();
    stream.extend_from_slice(&rest);
}

/// The message with another header or payload.
fn inside(chance: &mut StdRng, message: &Message) -> Bytes {
    let mut headers = message.headers().to_vec();
    let mut payload = message.payload().to_vec();
    match chance.random_range(0..4) {
        0 => {
            if let Some(header) = headers.choose_mut(chance) {
                *header = Header::new(header.name().clone(), word(chance));
            }
        }
        1 => headers.push(Header::new(":event-type", word(chance))),
        2 => raw::mutate(chance, &mut payload, b""),
        _ => {
            if !json::mutate(chance, &mut payload) {
                raw::mutate(chance, &mut payload, b"");
            }
        }
    }
    let made = Message::new_from_parts(headers, Bytes::from(payload));
    let mut bytes = Vec::new();
    if write_message_to(&made, &mut bytes).is_err() {
        bytes.clear();
    }
    bytes.into()
}

fn word(chance: &mut StdRng) -> HeaderValue {
    const WORDS: [&str; 13] = [
        "event",
        "exception",
        "error",
        "chunk",
        "messageStart",
        "contentBlockDelta",
        "messageStop",
        "metadata",
        "throttlingException",
        "modelStreamErrorException",
        "validationException",
        "",
        "\u{e9}#x:y",
    ];
    match chance.random_range(0..5) {
        0 => HeaderValue::Bool(true),
        1 => HeaderValue::Int64(chance.random()),
        _ => HeaderValue::String(WORDS.choose(chance).copied().unwrap_or_default().into()),
    }
}
