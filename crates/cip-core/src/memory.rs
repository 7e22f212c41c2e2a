//! The memory budget that a caller sets and stages divide.

use std::fmt;
use std::str::FromStr;

use crate::error::CoreError;

/// A number of bytes that a stage may hold at once.
///
/// It is a plan, not an allocator: a stage asks what its parts may take ([`MemoryBudget::part`]) or whether the
/// smallest arrangement it knows fits at all ([`MemoryBudget::require`]), sizes its buffers by the answer, and
/// spills beyond it.
///
/// # Examples
/// ```
/// use cip_core::MemoryBudget;
/// let budget: MemoryBudget = "256MiB".parse()?;
/// assert_eq!(budget.bytes(), 256 << 20);
/// assert_eq!(budget.part(1, 4).to_string(), "64MiB");
/// # Ok::<(), cip_core::CoreError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemoryBudget {
    bytes: u64,
}

impl MemoryBudget {
    /// Returns a budget of `bytes`.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self { bytes }
    }

    /// Returns a budget of `mebibytes` times 2^20 bytes.
    pub const fn from_mib(mebibytes: u64) -> Self {
        Self { bytes: mebibytes << 20 }
    }

    /// The bytes.
    pub const fn bytes(self) -> u64 {
        self.bytes
    }

    /// Returns `numerator / denominator` of the budget, rounded down.
    pub const fn part(self, numerator: u64, denominator: u64) -> Self {
        Self { bytes: ((self.bytes as u128 * numerator as u128) / denominator as u128) as u64 }
    }

    /// Returns what is left beside `bytes`, or `least` where that is more.
    pub fn beside(self, bytes: u64, least: MemoryBudget) -> Self {
        Self { bytes: self.bytes.saturating_sub(bytes) }.max(least)
    }

    /// Checks that `what`, which cannot work in less than `smallest`, fits.
    ///
    /// # Errors
    /// [`CoreError::Memory`], which names the smallest budget that would do.
    pub fn require(self, what: &'static str, smallest: MemoryBudget) -> Result<(), CoreError> {
        if self >= smallest { Ok(()) } else { Err(CoreError::Memory { what, budget: self, smallest }) }
    }
}

const UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

impl FromStr for MemoryBudget {
    type Err = CoreError;

    /// Reads a whole or decimal number with a unit: `256MiB`, `1.5GB`, `4096B`.
    fn from_str(text: &str) -> Result<Self, CoreError> {
        let refuse = || CoreError::Quantity {
            text: text.to_owned(),
            expected: "a size: write a number with a unit, such as 256MiB or 1.5GB",
        };
        let trimmed = text.trim();
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, size)| {
                let split = trimmed.len().checked_sub(name.len())?;
                let (number, tail) = trimmed.split_at_checked(split)?;
                tail.eq_ignore_ascii_case(name).then_some((number.trim(), *size))
            })
            .ok_or_else(refuse)?;
        let value: f64 = number.parse().map_err(|_| refuse())?;
        let bytes = value * unit as f64;
        if 1.0 <= bytes && bytes <= (1u64 << 52) as f64 {
            Ok(Self { bytes: bytes as u64 })
        } else {
            Err(refuse())
        }
    }
}

impl fmt::Display for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, size) in [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.bytes >= size {
                return if self.bytes.is_multiple_of(size) {
                    write!(f, "{}{name}", self.bytes / size)
                } else {
                    // Rounded up: a budget that is named as large enough has to be.
                    write!(f, "{:.1}{name}", (self.bytes as f64 / size as f64 * 10.0).ceil() / 10.0)
                };
            }
        }
        write!(f, "{}B", self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        for (text, bytes) in [
            ("256MiB", 256 << 20),
            ("1.5GB", 1_500_000_000),
            ("4096b", 4096),
            (" 2 gib ", 2 << 30),
            ("64KB", 64_000),
        ] {
            assert_eq!(text.parse::<MemoryBudget>().unwrap().bytes(), bytes, "{text}");
        }
        for text in ["", "12", "MiB", "NaNMiB", "infGB", "-1MiB", "0B", "1e300GB", "é"] {
            assert!(text.parse::<MemoryBudget>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_budget_too_small_names_the_smallest_that_would_do() {
        let error = MemoryBudget::from_mib(8).require("ingest", MemoryBudget::from_mib(64)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ingest needs at least 64MiB of memory, but the budget is 8MiB: give it 64MiB or more"
        );
    }
}
