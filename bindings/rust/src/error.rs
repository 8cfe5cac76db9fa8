//! The one family of errors that a file or a disk can cause.

use std::fmt;
use std::io;
use std::path::Path;

use crate::quote::quote;
use crate::tables::ErrorCode;

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a checkpoint, or a part of it, was refused.
///
/// Displayed as the file's path, a sentence with what was expected and found, the code and the
/// rule. Text from a file is escaped, so that it cannot steer a terminal.
pub struct Error(Box<Fault>);

// Boxed, so that a Result is not much larger than its value.
struct Fault {
    code: ErrorCode,
    rule: Option<&'static str>,
    message: String,
    path: Option<String>,
    offset: Option<u64>,
    tensor: Option<String>,
    cause: Option<io::Error>,
}

impl Error {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Error(Box::new(Fault {
            code,
            rule: None,
            message: message.into(),
            path: None,
            offset: None,
            tensor: None,
            cause: None,
        }))
    }

    /// An error of code [`ErrorCode::Format`].
    pub(crate) fn format(rule: &'static str, message: impl Into<String>) -> Self {
        Error::new(ErrorCode::Format, message).with_rule(rule)
    }

    /// An error of code [`ErrorCode::Read`].
    pub(crate) fn read(what: &str, cause: io::Error) -> Self {
        let mut error = Error::new(ErrorCode::Read, format!("the file {what}: {cause}"));
        error.0.cause = Some(cause);
        error
    }

    pub(crate) fn with_rule(mut self, rule: &'static str) -> Self {
        self.0.rule = Some(rule);
        self
    }

    pub(crate) fn with_offset(mut self, offset: u64) -> Self {
        self.0.offset = Some(offset);
        self
    }

    pub(crate) fn with_tensor(mut self, name: &str) -> Self {
        self.0.tensor = Some(name.to_owned());
        self
    }

    pub(crate) fn with_path(mut self, path: &Path) -> Self {
        self.0.path = Some(quote(&path.to_string_lossy()));
        self
    }

    /// The kind of the error, for programs.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The broken rule of the format, such as `tensor.offset`. docs/format.md lists the rules; some
    /// codes have none.
    pub fn rule(&self) -> Option<&str> {
        self.0.rule
    }

    /// Position in the file, in bytes, if it is known.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The name of the tensor as it is in the file, not made safe to print.
    pub fn tensor(&self) -> Option<&str> {
        self.0.tensor.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = &*self.0;
        if let Some(path) = &fault.path {
            write!(f, "{path}: ")?;
        }
        write!(f, "{} ({}", fault.message, fault.code)?;
        if let Some(rule) = fault.rule {
            write!(f, ", {rule}")?;
        }
        f.write_str(")")
    }
}

// Like Display, because a program prints this when `main` returns the error.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_ref().map(|cause| cause as _)
    }
}
