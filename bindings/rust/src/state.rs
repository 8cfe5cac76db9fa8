//! The state of one object with a state dict.

use std::sync::Arc;

use crate::attribute::Attributes;
use crate::error::{Error, Result};
use crate::name_map::NameMap;
use crate::quote::quote;
use crate::tables::ErrorCode;
use crate::tensor::Tensor;

/// The state of one object with a state dict: a model, an optimizer, a scheduler, a sampler.
#[derive(Debug)]
pub struct State {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Option<String>,
    pub(crate) attributes: Attributes,
    pub(crate) tensors: NameMap<Tensor>,
}

impl State {
    /// `model`, `optimizer`, or the name of an extra.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The class of the object, as its framework names it: `AdamW`.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// Hyper-parameters, parameter groups, counters.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The tensors in the order of the state dict.
    pub fn tensors(&self) -> &NameMap<Tensor> {
        &self.tensors
    }

    /// The tensor of that name.
    ///
    /// # Errors
    ///
    /// `CKPT_NO_SUCH_TENSOR`, with some of the existing names.
    pub fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| {
            let count = self.tensors.len();
            let some: Vec<String> = self.tensors.names().take(5).map(quote).collect();
            let (colon, more) = (
                if count > 0 { ": " } else { "" },
                if count > 5 { ", …" } else { "" },
            );
            let message = format!(
                "the state {} has no tensor {}; it has {count}{colon}{}{more}",
                quote(&self.name),
                quote(name),
                some.join(", ")
            );
            Error::new(ErrorCode::NoSuchTensor, message).with_tensor(name)
        })
    }
}
