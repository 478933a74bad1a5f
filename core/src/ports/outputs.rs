//! What all processes together have learned of how long answers are.

use super::{BoxFuture, StoreError};
use crate::estimate::{Answers, Lesson, OutputKey};

/// What came of a lesson.
#[derive(Debug, Clone)]
pub struct Taught {
    /// What is known of the key with it.
    pub answers: Answers,
    /// Enough is known: the next lessons may wait ([`crate::estimate::Lessons::may_wait`]).
    pub are_enough: bool,
    /// Requests of its like that wait are to be looked through ([`crate::estimate::SharedAnswers::teach`]).
    pub look_through: bool,
}

/// One place for what is known of each key, where answers come to many processes.
///
/// Nothing rests on it but estimates: a lesson that is lost, or counted twice because an answer was lost, is one of hundreds.
pub trait SharedOutputs: Send + Sync {
    /// What is known of these keys now; those of which nothing is are left out.
    fn read<'a>(
        &'a self,
        keys: &'a [OutputKey],
    ) -> BoxFuture<'a, Result<Vec<(OutputKey, Answers)>, StoreError>>;

    /// Adds lessons to what is known of a key, whoever else adds some at the same time.
    fn teach<'a>(
        &'a self,
        key: &'a OutputKey,
        lessons: &'a [Lesson],
    ) -> BoxFuture<'a, Result<Taught, StoreError>>;
}
