//! Fields of the forms behind the actions of a case: what a template draws and the page's script reads back.

use crate::web::view::Choice;

/// How a button looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// The next step of the main path.
    Primary,
    /// One of several.
    Plain,
    /// Ends or sends back something.
    Danger,
}

impl Tone {
    /// The name templates compare with.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Plain => "plain",
            Self::Danger => "danger",
        }
    }
}

/// One field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Key in the JSON body.
    pub name: &'static str,
    /// Label.
    pub label: &'static str,
    /// `text`, `textarea`, `select`, `checkbox`, `date`, `number`, `units`, `rows`.
    pub kind: &'static str,
    /// How the value is sent: `string`, `option` (left out when empty), `int`, `bool`, `lines`, `list`, `rows`.
    pub json: &'static str,
    /// Present value.
    pub value: String,
    /// Choices of a select.
    pub options: Vec<Choice>,
    /// A select starts with an empty choice.
    pub blank: bool,
    /// Must be filled.
    pub required: bool,
    /// Help.
    pub hint: &'static str,
    /// Must be filled when this other field has one of these values (separated by blanks); empty names: never.
    pub needed_by: (&'static str, String),
    /// Columns of `rows`.
    pub columns: Vec<Self>,
    /// Rows that must be filled, and that are drawn at first.
    pub rows: Vec<u8>,
    /// Smallest value of a day or number; empty: none.
    pub min: String,
    /// Largest value of a number; empty: none.
    pub max: String,
}

impl Field {
    pub(super) fn new(name: &'static str, label: &'static str, kind: &'static str, json: &'static str) -> Self {
        Self {
            name,
            label,
            kind,
            json,
            value: String::new(),
            options: Vec::new(),
            blank: false,
            required: false,
            hint: "",
            needed_by: ("", String::new()),
            columns: Vec::new(),
            rows: Vec::new(),
            min: String::new(),
            max: String::new(),
        }
    }

    pub(super) fn area(name: &'static str, label: &'static str) -> Self {
        Self { required: true, ..Self::new(name, label, "textarea", "string") }
    }

    pub(super) fn note(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, "textarea", "option")
    }

    pub(super) fn line(name: &'static str, label: &'static str) -> Self {
        Self { required: true, ..Self::new(name, label, "text", "string") }
    }

    pub(super) fn line_option(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, "text", "option")
    }

    pub(super) fn lines(name: &'static str, label: &'static str) -> Self {
        Self { required: true, hint: "一行一项，一次列全", ..Self::new(name, label, "textarea", "lines") }
    }

    pub(super) fn choose(name: &'static str, label: &'static str, options: Vec<Choice>) -> Self {
        let blank = !options.iter().any(|option| option.selected);
        Self { options, blank, required: true, ..Self::new(name, label, "select", "string") }
    }

    pub(super) fn choose_option(name: &'static str, label: &'static str, options: Vec<Choice>) -> Self {
        Self { options, blank: true, ..Self::new(name, label, "select", "option") }
    }

    pub(super) fn units(name: &'static str, label: &'static str, options: Vec<Choice>) -> Self {
        Self { options, ..Self::new(name, label, "units", "list") }
    }

    pub(super) fn tick(name: &'static str, label: &'static str, on: bool) -> Self {
        Self { value: on.to_string(), ..Self::new(name, label, "checkbox", "bool") }
    }

    pub(super) fn number(name: &'static str, label: &'static str, value: &str) -> Self {
        Self { value: value.to_owned(), required: true, ..Self::new(name, label, "number", "int") }
    }

    pub(super) fn date_option(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, "date", "option")
    }

    pub(super) fn with(mut self, value: &str) -> Self {
        value.clone_into(&mut self.value);
        self
    }

    pub(super) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    /// A list of things of one shape, at least `least` of them.
    pub(super) fn rows(name: &'static str, label: &'static str, least: u8, columns: Vec<Self>) -> Self {
        Self { columns, rows: (1..=least).collect(), required: true, ..Self::new(name, label, "rows", "rows") }
    }

    /// A number out of a list of words.
    pub(super) fn choose_number(name: &'static str, label: &'static str, options: Vec<Choice>) -> Self {
        Self { json: "int", ..Self::choose(name, label, options) }
    }

    /// A day that must be given.
    pub(super) fn day(name: &'static str, label: &'static str) -> Self {
        Self { required: true, json: "string", ..Self::date_option(name, label) }
    }

    /// Must be filled when `other` has one of these values.
    pub(super) fn needed_for(mut self, other: &'static str, values: &[&str]) -> Self {
        self.needed_by = (other, values.join(" "));
        self
    }

    /// The smallest day or number.
    pub(super) fn from(mut self, min: &str) -> Self {
        min.clone_into(&mut self.min);
        self
    }

    /// The largest number.
    pub(super) fn up_to(mut self, max: &str) -> Self {
        max.clone_into(&mut self.max);
        self
    }

    pub(super) fn optional(mut self) -> Self {
        self.required = false;
        self
    }
}
