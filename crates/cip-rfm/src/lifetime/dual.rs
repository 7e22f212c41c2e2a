//! Dual numbers: values that carry their derivatives, so that a likelihood is written once.

use std::ops::{Add, Div, Mul, Neg, Sub};

use statrs::function::gamma;

/// What the formulas of the models are made of: plain numbers, or [`Dual`] ones.
pub(super) trait Real:
    Copy
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
{
    /// The number without its derivatives.
    fn value(self) -> f64;
    fn ln(self) -> Self;
    fn exp(self) -> Self;
    /// ln(1 + self), exact where self is small.
    fn ln_1p(self) -> Self;
    /// 1 / self.
    fn recip(self) -> Self;
    /// ln Γ(self), for numbers above 0.
    fn ln_gamma(self) -> Self;
}

impl Real for f64 {
    fn value(self) -> f64 {
        self
    }

    fn ln(self) -> f64 {
        f64::ln(self)
    }

    fn exp(self) -> f64 {
        f64::exp(self)
    }

    fn ln_1p(self) -> f64 {
        f64::ln_1p(self)
    }

    fn recip(self) -> f64 {
        f64::recip(self)
    }

    fn ln_gamma(self) -> f64 {
        gamma::ln_gamma(self)
    }
}

/// A number and its derivatives by each of `N` parameters.
///
/// # Method
/// Forward differentiation: every operation applies the chain rule to its result, so a derivative is as exact as the
/// value itself, without steps and differences.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dual<const N: usize> {
    value: f64,
    slopes: [f64; N],
}

impl<const N: usize> Dual<N> {
    /// The parameters themselves: the slope of each is 1 by itself and 0 by the others.
    pub(super) fn parameters(values: [f64; N]) -> [Self; N] {
        std::array::from_fn(|at| Self {
            value: values[at],
            slopes: std::array::from_fn(|by| f64::from(u8::from(at == by))),
        })
    }

    /// The derivatives.
    pub(super) fn slopes(self) -> [f64; N] {
        self.slopes
    }

    /// A function of this number, by its value and its derivative.
    fn chain(self, value: f64, derivative: f64) -> Self {
        Self { value, slopes: self.slopes.map(|slope| slope * derivative) }
    }

    /// A function of two numbers, by its value and its derivative by each.
    fn chain_two(self, other: Self, value: f64, by_self: f64, by_other: f64) -> Self {
        let slopes = std::array::from_fn(|at| self.slopes[at] * by_self + other.slopes[at] * by_other);
        Self { value, slopes }
    }
}

impl<const N: usize> Real for Dual<N> {
    fn value(self) -> f64 {
        self.value
    }

    fn ln(self) -> Self {
        self.chain(self.value.ln(), self.value.recip())
    }

    fn exp(self) -> Self {
        let value = self.value.exp();
        self.chain(value, value)
    }

    fn ln_1p(self) -> Self {
        self.chain(self.value.ln_1p(), (1.0 + self.value).recip())
    }

    fn recip(self) -> Self {
        let value = self.value.recip();
        self.chain(value, -value * value)
    }

    fn ln_gamma(self) -> Self {
        self.chain(gamma::ln_gamma(self.value), gamma::digamma(self.value))
    }
}

impl<const N: usize> Neg for Dual<N> {
    type Output = Self;

    fn neg(self) -> Self {
        self.chain(-self.value, -1.0)
    }
}

impl<const N: usize> Add for Dual<N> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.chain_two(other, self.value + other.value, 1.0, 1.0)
    }
}

impl<const N: usize> Sub for Dual<N> {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.chain_two(other, self.value - other.value, 1.0, -1.0)
    }
}

impl<const N: usize> Mul for Dual<N> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        self.chain_two(other, self.value * other.value, other.value, self.value)
    }
}

impl<const N: usize> Div for Dual<N> {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        self.chain_two(other, value, other.value.recip(), -value / other.value)
    }
}

impl<const N: usize> Add<f64> for Dual<N> {
    type Output = Self;

    fn add(self, other: f64) -> Self {
        self.chain(self.value + other, 1.0)
    }
}

impl<const N: usize> Sub<f64> for Dual<N> {
    type Output = Self;

    fn sub(self, other: f64) -> Self {
        self.chain(self.value - other, 1.0)
    }
}

impl<const N: usize> Mul<f64> for Dual<N> {
    type Output = Self;

    fn mul(self, other: f64) -> Self {
        self.chain(self.value * other, other)
    }
}

impl<const N: usize> Div<f64> for Dual<N> {
    type Output = Self;

    fn div(self, other: f64) -> Self {
        self.chain(self.value / other, other.recip())
    }
}

/// ln(exp(a) + exp(b)) without overflow.
pub(super) fn ln_sum_exp<R: Real>(a: R, b: R) -> R {
    let (least, greatest) = if a.value() < b.value() { (a, b) } else { (b, a) };
    greatest + (least - greatest).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Something of every operation.
    fn formula<R: Real>([a, b]: [R; 2]) -> R {
        let sum = ln_sum_exp(a * 0.5 - b, (b / a).ln());
        a.ln_gamma() - (b + 1.0).ln_gamma() - sum / (a + b) + (-a).exp() * b.recip()
            - (a * b - 0.25).exp().ln_1p() / 3.0
    }

    proptest! {
        #[test]
        fn slopes_are_those_of_differences(a in 0.05f64..6.0, b in 0.05f64..6.0) {
            let dual = formula(Dual::parameters([a, b]));
            prop_assert_eq!(dual.value(), formula([a, b]));
            let step = 1e-5;
            let by_a = (formula([a + step, b]) - formula([a - step, b])) / (2.0 * step);
            let by_b = (formula([a, b + step]) - formula([a, b - step])) / (2.0 * step);
            for (slope, difference) in dual.slopes().into_iter().zip([by_a, by_b]) {
                prop_assert!((slope - difference).abs() <= 1e-5 * slope.abs().max(1.0), "{slope} {difference}");
            }
        }
    }

    #[test]
    fn sums_of_exponentials_do_not_overflow() {
        assert_eq!(ln_sum_exp(1_000.0, 1_000.0), 1_000.0 + std::f64::consts::LN_2);
        assert_eq!(ln_sum_exp(-5.0, -2_000.0), -5.0);
    }
}
