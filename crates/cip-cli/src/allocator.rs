//! What the allocator does with memory that is freed.

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
