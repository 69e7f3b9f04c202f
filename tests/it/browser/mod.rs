//! The main path in a real browser: the enterprise at a phone-narrow window, the officers at a wide one.

mod composer;
mod desk;
mod desk_words;
mod enterprise;
mod harness;
mod markup;
mod model;
mod proposal;
mod suggestion;
mod track;
mod visitor;
mod wechat;
mod widget;
