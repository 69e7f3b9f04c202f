//! One integration binary: one module per use case or surface.

mod conversations;
mod cases;
mod sla;
mod tidy;
mod rules;
