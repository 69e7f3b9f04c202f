//! One task for the model: fill in its prompt, replace what people wrote, ask.

use tokio_util::sync::CancellationToken;

use super::{
    super::App,
    ask::{Ask, ask, failure},
};
use crate::{
    domain::{prompts::Output, text::Redactor},
    ports::model::{
        ModelFailure, ModelFailureKind, ModelLine, ModelOutput, ModelReply, ModelRequest, ModelRole, ModelTask,
    },
};

/// A value of a prompt's variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable<'a> {
    /// Name and text of our own: sources, tables, dates. Goes as it is.
    Ours(&'a str, &'a str),
    /// Name and text that people wrote: personal data are replaced.
    Theirs(&'a str, &'a str),
}

/// A task for the model.
pub struct Call<'a> {
    /// The task; there is one prompt for it.
    pub task: ModelTask,
    /// Every variable of the task.
    pub variables: &'a [Variable<'a>],
    /// Replaces personal data; afterwards it knows what stands for what.
    pub redactor: &'a mut Redactor,
    /// Id of the conversation it is for.
    pub conversation: Option<&'a str>,
    /// Id of the case it is for.
    pub case: Option<&'a str>,
    /// Id of the officer it is for; without one the visitor of the conversation is who asks.
    pub officer: Option<&'a str>,
    /// It is of a labelled set.
    pub evaluation: bool,
    /// Whether pieces are wanted as they come.
    pub stream: bool,
    /// Breaks the call off.
    pub broken_off: Option<&'a CancellationToken>,
}

/// What a model answered to a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Id of the exchange in the journal.
    pub exchange: String,
    /// The answer, placeholders still in it.
    pub reply: ModelReply,
}

/// Gives the model a task. What it says is neither read nor checked here; [`super::judge`] notes what became of it.
///
/// # Errors
/// Why there is no answer.
pub async fn call(app: &App, call: Call<'_>, on_text: &mut (dyn FnMut(&str) + Send)) -> Result<Called, ModelFailure> {
    let Call { task, variables, redactor, conversation, case, officer, evaluation, stream, broken_off } = call;
    let content = app.content.load();
    let rejected = |detail: String| failure(ModelFailureKind::Rejected, detail);
    let prompt = content.prompts.of(task.as_str()).ok_or_else(|| rejected(format!("no prompt for {task}")))?;
    let mut values = Vec::with_capacity(variables.len());
    for variable in variables {
        values.push(match variable {
            Variable::Ours(name, text) => (*name, (*text).to_owned()),
            Variable::Theirs(name, text) => {
                let hidden = redactor.redact(text);
                if redactor.leftovers(&hidden) {
                    return Err(rejected(format!("personal data would be left in {name}")));
                }
                (*name, hidden)
            }
        });
    }
    let values: Vec<(&str, &str)> = values.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let rendered = prompt.render(&values).map_err(|error| rejected(error.to_string()))?;
    let request = ModelRequest {
        task,
        lines: vec![
            ModelLine { role: ModelRole::System, text: rendered.system },
            ModelLine { role: ModelRole::User, text: rendered.user },
        ],
        output: match &prompt.output {
            Output::Text => ModelOutput::Text,
            Output::Json { schema } => ModelOutput::Json { schema: schema.clone() },
        },
        max_tokens: prompt.max_tokens,
        stream,
    };
    let question = Ask {
        request: &request,
        prompt_id: &prompt.id,
        prompt_version: &prompt.version,
        content_hash: &content.hash,
        conversation,
        case,
        officer,
        evaluation,
        broken_off,
    };
    let asked = ask(app, &question, &mut |text| redactor.redact(text), on_text).await?;
    Ok(Called { exchange: asked.exchange, reply: asked.reply })
}
