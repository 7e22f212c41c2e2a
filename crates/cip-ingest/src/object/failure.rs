//! Why an object could not be read, in words for a person, and without what is secret.

use std::error::Error;
use std::io;

use object_store::client::{HttpError, HttpErrorKind};

/// What a store says of a request that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("there is no such bucket or object ({0}); check the name")]
    NotFound(String),
    #[error("the store refuses ({0}); check the credentials in the environment, and what they allow")]
    Denied(String),
    #[error("it was changed while it was read: start again")]
    Changed,
    #[error(
        "the store cannot be reached ({0}); check the network, the endpoint and the credentials in the environment"
    )]
    Unreachable(String),
    #[error("its name cannot be used ({0})")]
    Name(String),
    #[error("the store fails ({0})")]
    Other(String),
}

impl From<object_store::Error> for Failure {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error as Of;
        let cause = causes(&error).last().map(ToString::to_string).unwrap_or_default();
        let reason = reason(&cause);
        match error {
            Of::NotFound { .. } => Self::NotFound(reason),
            Of::PermissionDenied { .. } | Of::Unauthenticated { .. } => Self::Denied(reason),
            Of::Precondition { .. } => Self::Changed,
            Of::InvalidPath { .. } => Self::Name(reason),
            error if is_connection(&error) => Self::Unreachable(reason),
            // A listing that fails has no kind of its own.
            _ => match status(&cause) {
                Some("404") => Self::NotFound(reason),
                Some("401" | "403") => Self::Denied(reason),
                _ => Self::Other(reason),
            },
        }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        let kind = match failure {
            Failure::NotFound(_) => io::ErrorKind::NotFound,
            Failure::Denied(_) => io::ErrorKind::PermissionDenied,
            Failure::Unreachable(_) => io::ErrorKind::NotConnected,
            Failure::Name(_) => io::ErrorKind::InvalidInput,
            Failure::Changed | Failure::Other(_) => io::ErrorKind::Other,
        };
        Self::new(kind, failure)
    }
}

/// The causes of an error, itself first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn is_connection(error: &object_store::Error) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref::<HttpError>()).any(|error| {
        matches!(
            error.kind(),
            HttpErrorKind::Connect
                | HttpErrorKind::Request
                | HttpErrorKind::Timeout
                | HttpErrorKind::Interrupted
        )
    })
}

/// The status of an answer, of which the innermost cause speaks.
fn status(cause: &str) -> Option<&str> {
    cause.split_once("status code: ")?.1.get(..3)
}

/// What the innermost cause says, which names no addresses; of an answer in XML its code and its message.
fn reason(text: &str) -> String {
    const LONGEST: usize = 200;
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0.trim().to_owned())
    };
    let said = match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => text.split('<').next().unwrap_or_default().to_owned(),
    };
    let words: Vec<&str> = said.split_whitespace().collect();
    let line = words.join(" ").trim_end_matches([':', '.']).to_owned();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_found(source: &str) -> String {
        let error = object_store::Error::NotFound { path: "a/b".to_owned(), source: source.into() };
        Failure::from(error).to_string()
    }

    #[test]
    fn of_an_answer_only_what_it_says_is_told() {
        let answer = "Server returned non-2xx status code: 404 Not Found: <?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey\
                      </Code><Message>The specified\nkey does not exist.</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>";
        assert_eq!(
            not_found(answer),
            "there is no such bucket or object (NoSuchKey: The specified key does not exist); check the name"
        );
        assert_eq!(
            not_found("status code: 404 Not Found: <html>secret</html>"),
            "there is no such bucket or object (status code: 404 Not Found); check the name"
        );
        assert!(not_found(&"é".repeat(1_000)).len() < 600);
    }

    #[test]
    fn every_failure_has_its_kind() {
        let of = |error| Failure::from(error);
        let refused = of(object_store::Error::PermissionDenied { path: String::new(), source: "403".into() });
        assert_eq!(refused, Failure::Denied("403".to_owned()));
        let changed = of(object_store::Error::Precondition { path: String::new(), source: "412".into() });
        assert_eq!(changed, Failure::Changed);
        let down = HttpError::new(HttpErrorKind::Connect, io::Error::other("Connection refused"));
        let down = of(object_store::Error::Generic { store: "S3", source: Box::new(down) });
        assert_eq!(down, Failure::Unreachable("Connection refused".to_owned()));
        assert_eq!(io::Error::from(down).kind(), io::ErrorKind::NotConnected);
        let generic = |source: &str| of(object_store::Error::Generic { store: "S3", source: source.into() });
        assert_eq!(generic("503 Slow Down"), Failure::Other("503 Slow Down".to_owned()));
        let listing = "Server returned non-2xx status code: ";
        assert!(matches!(generic(&format!("{listing}403 Forbidden: <x>")), Failure::Denied(_)));
        assert!(matches!(generic(&format!("{listing}404 Not Found: ")), Failure::NotFound(_)));
        assert!(matches!(generic(&format!("{listing}503 Slow Down")), Failure::Other(_)));
        assert!(matches!(generic("status code: é"), Failure::Other(_)));
    }
}
