//! A hint to the processor.

/// Has the processor fetch where `bytes` start: for places that it cannot foresee, some time before they are read.
#[inline(always)]
pub fn fetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[expect(
            unsafe_code,
            reason = "a hint, which spares half of the time of looking up what lies in random order"
        )]
        // SAFETY: nothing is read, and the address is that of a value.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
