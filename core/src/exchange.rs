//! Histories in other tools' formats.
