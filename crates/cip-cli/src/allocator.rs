//! The allocator of the process: what it keeps of what is freed, and the pages that large blocks lie in.

use std::alloc::{GlobalAlloc, Layout, System};

/// Lets the allocator of the GNU C library keep what is freed, up to 62 MiB, for what is asked for next.
///
/// It gives memory back to the system that a stage asks for again with its next row group, and each page of it is then cleared
/// anew. Freeing one block of up to 32 MiB that the system mapped raises the size of blocks that are mapped to that of the block, and what is
/// kept to twice as much (mallopt(3), `M_MMAP_THRESHOLD`). The block is never touched, so it takes no memory. Other allocators take
/// no notice.
pub(crate) fn keep_freed_memory() {
    const BLOCK_BYTES: usize = 31 << 20;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(BLOCK_BYTES)));
}

/// The allocator of the system, where Linux is told that the pages around large blocks may be large ones (madvise(2),
/// `MADV_HUGEPAGE`).
///
/// Rows are scattered over some megabytes and gathered from as many: with pages of 4 KiB, the processor looks up for nearly each of them where its page
/// lies, which on a virtual machine takes longer than to load it.
pub(crate) struct LargePages;

impl LargePages {
    /// From here on a block is large.
    const BLOCK_BYTES: usize = 256 << 10;

    #[inline]
    fn told(block: *mut u8, bytes: usize) -> *mut u8 {
        if bytes >= Self::BLOCK_BYTES && !block.is_null() {
            Self::tell(block, bytes);
        }
        block
    }

    #[cfg(target_os = "linux")]
    #[cold]
    fn tell(block: *mut u8, bytes: usize) {
        const PAGE_BYTES: usize = 2 << 20;
        let before = block.addr() % PAGE_BYTES;
        let (start, length) = (block.wrapping_sub(before), (before + bytes).next_multiple_of(PAGE_BYTES));
        // A system without large pages has small ones, and some of what lies around may be no memory: no failure matters.
        #[expect(unsafe_code, reason = "asks the system")]
        // SAFETY: the advice changes the contents of no memory, of the block and of what lies around it.
        let _ = unsafe { rustix::mm::madvise(start.cast(), length, rustix::mm::Advice::LinuxHugepage) };
    }

    #[cfg(not(target_os = "linux"))]
    fn tell(_: *mut u8, _: usize) {}
}

#[expect(unsafe_code, reason = "allocators are unsafe")]
// SAFETY: every block is one of the system's allocator.
unsafe impl GlobalAlloc for LargePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises what the system's allocator asks for.
        Self::told(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises what the system's allocator asks for.
        Self::told(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller promises what the system's allocator asks for, and the block is one of that.
        Self::told(unsafe { System.realloc(block, layout, bytes) }, bytes)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is one of the system's allocator.
        unsafe { System.dealloc(block, layout) }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Whether the mapping of an address may have large pages, as the system says.
    fn may_be_large(address: usize) -> bool {
        let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
        let bounds = |line: &str| {
            let (from, to) = line.split_whitespace().next()?.split_once('-')?;
            Some((usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?))
        };
        let mut here = false;
        for line in smaps.lines() {
            if let Some((from, to)) = bounds(line) {
                here = (from..to).contains(&address);
            } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| here) {
                return flags.split_whitespace().any(|flag| flag == "hg");
            }
        }
        false
    }

    #[test]
    fn large_blocks_may_lie_in_large_pages() {
        if !Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            return;
        }
        let mut block = vec![7u8; 3 << 20];
        assert!(may_be_large(block.as_ptr().addr()));
        let zeros = vec![0u64; 1 << 18];
        assert!(may_be_large(zeros.as_ptr().addr()));
        block.resize(40 << 20, 9);
        assert!(may_be_large(block.as_ptr().addr() + (39 << 20)));
        assert_eq!((block[3 << 20], block[(3 << 20) - 1], zeros[5]), (9, 7, 0));
    }
}
