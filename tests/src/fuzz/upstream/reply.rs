//! One answer of an upstream as a text: the operation, then `200` and headers, an empty line, the body.

use smoother_core::Operation;

use crate::fuzz::mutate::http::Parts;

/// An answer, read.
#[derive(Debug, Clone)]
pub struct Reply {
    /// What was asked.
    pub operation: Operation,
    /// HTTP status.
    pub status: u16,
    /// Whether the connection breaks before the end: a third line `cut` or `hang`.
    pub cut: bool,
    /// Whether nothing more comes instead, and no end either: `hang`. On the wire that is a cut.
    pub hangs: bool,
    headers: Vec<Vec<u8>>,
    /// The body, sent in chunks whose borders follow from it.
    pub body: Vec<u8>,
}

impl Reply {
    /// Reads a text; `None` for what cannot be sent.
    pub fn of(input: &[u8]) -> Option<Self> {
        let Parts {
            line,
            mut headers,
            body,
        } = Parts::of(input);
        let operation = Operation::parse(std::str::from_utf8(&line).ok()?.trim())?;
        let status = std::str::from_utf8(headers.first()?).ok()?.trim().parse().ok()?;
        drop(headers.remove(0));
        let ending = headers.first().map(Vec::as_slice).unwrap_or_default();
        let (cut, hangs) = (ending == b"cut" || ending == b"hang", ending == b"hang");
        if cut {
            drop(headers.remove(0));
        }
        // These have no body, whatever is sent after their head.
        let body = if matches!(status, 204 | 304) {
            Vec::new()
        } else {
            body
        };
        // A 1xx is no answer yet: whoever sends only that has hung up, which other inputs do too.
        (200..=999).contains(&status).then_some(Self {
            operation,
            status,
            cut,
            hangs,
            headers,
            body,
        })
    }

    /// The same answer to another operation.
    #[must_use]
    pub fn to(self, operation: Operation) -> Self {
        Self { operation, ..self }
    }

    /// The bytes on the wire.
    pub fn wire(&self) -> Vec<u8> {
        let mut wire = format!(
            "HTTP/1.1 {} Said\r\ntransfer-encoding: chunked\r\nconnection: close\r\n",
            self.status
        )
        .into_bytes();
        for header in &self.headers {
            // What ends a line would begin another header, and length and coding are ours.
            let name = header.split(|byte| *byte == b':').next().unwrap_or_default();
            let named = http::HeaderName::from_bytes(name).is_ok_and(|name| {
                !["transfer-encoding", "content-length", "connection", "upgrade"].contains(&name.as_str())
            });
            let value = header.get(name.len() + 1..).unwrap_or_default();
            if named && http::HeaderValue::from_bytes(value.trim_ascii()).is_ok() {
                wire.extend_from_slice(header);
                wire.extend_from_slice(b"\r\n");
            }
        }
        wire.extend_from_slice(b"\r\n");
        let piece = 1 + self.body.len() / 3;
        for part in self.body.chunks(piece) {
            wire.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            wire.extend_from_slice(part);
            wire.extend_from_slice(b"\r\n");
        }
        if !self.cut {
            wire.extend_from_slice(b"0\r\n\r\n");
        }
        wire
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_an_answer_and_how_it_ends() {
        let whole = Reply::of(b"invoke\n200\na: b\n\n{}").unwrap();
        assert_eq!((whole.status, whole.cut, whole.hangs), (200, false, false));
        let wire = whole.wire();
        assert!(
            wire.ends_with(b"a: b\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
            "{wire:?}"
        );
        let cut = Reply::of(b"invoke\n200\ncut\n\n{}").unwrap();
        assert!(cut.cut && !cut.hangs && !cut.wire().ends_with(b"0\r\n\r\n"));
        let hanging = Reply::of(b"invoke\n503\nhang\n\n").unwrap();
        assert!(hanging.cut && hanging.hangs);
        for none in [
            "",
            "invoke",
            "invoke\nmany\n\n",
            "invoke\n100\n\n",
            "sing\n200\n\n",
        ] {
            assert!(Reply::of(none.as_bytes()).is_none(), "{none:?}");
        }
    }
}
