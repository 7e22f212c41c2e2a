//! Parallel map over a sequence that keeps its order: how every stage uses more than one thread.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;

/// Returns an iterator over `map(item)` for every item, **in the items' order**, computed on `threads` threads.
///
/// Items are taken from `items` one at a time under a lock, so the source may do sequential work (reading a
/// file, cutting it into chunks) while other threads map. At most `2 * threads` items are in flight: taken and
/// not yet handed out. That bounds memory, and a slow consumer slows the source.
///
/// Because the order is the source's, what a stage writes does not depend on the number of threads. Stages are
/// composed by giving one `OrderedMap` to the next:
///
/// ```text
/// chunks ──ordered_map(parse)──▶ collect (serial) ──ordered_map(encode)──▶ append (serial)
/// ```
///
/// # Panics
/// A panic in `map` or in the source ends the iteration early and is raised again where the scope joins.
///
/// # Examples
/// ```
/// use cip_core::pipeline::ordered_map;
/// use std::num::NonZeroUsize;
///
/// let squares: Vec<u64> = std::thread::scope(|scope| {
///     ordered_map(scope, NonZeroUsize::new(2).unwrap(), 0..100u64, |x| x * x).collect()
/// });
/// assert_eq!(squares[99], 9801);
/// ```
pub fn ordered_map<'scope, I, T, R, F>(
    scope: &'scope Scope<'scope, '_>,
    threads: NonZeroUsize,
    items: I,
    map: F,
) -> OrderedMap<R>
where
    I: Iterator<Item = T> + Send + 'scope,
    T: Send + 'scope,
    R: Send + 'scope,
    F: Fn(T) -> R + Send + Sync + 'scope,
{
    let output = Arc::new(Output {
        state: Mutex::new(OutputState {
            done: BTreeMap::new(),
            next: 0,
            in_flight: 0,
            workers: 0,
            cancelled: false,
        }),
        capacity: 2 * threads.get(),
        room: Condvar::new(),
        ready: Condvar::new(),
    });
    let source = Arc::new(Mutex::new((items.fuse(), 0u64)));
    let map = Arc::new(map);
    let results = OrderedMap { output: Arc::clone(&output) };
    for number in 0..threads.get() {
        let mut worker = Worker::sign_on(&output);
        let (source, map) = (Arc::clone(&source), Arc::clone(&map));
        let work = move || {
            while worker.reserve() {
                let (item, seq) = {
                    // A poisoned source means that another worker panicked in it: stop, the scope reports it.
                    let Ok(mut source) = source.lock() else { return };
                    let Some(item) = source.0.next() else { return };
                    source.1 += 1;
                    (item, source.1 - 1)
                };
                worker.put(seq, map(item));
            }
        };
        if number == 0 {
            // Without a single thread there is nothing to fall back on, and nobody waits yet.
            scope.spawn(work);
        } else if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
            // The system gives no more: those that there are do the work. The worker has signed itself off.
            break;
        }
    }
    results
}

/// The results of [`ordered_map`], in order. Dropping it early stops the workers.
pub struct OrderedMap<R> {
    output: Arc<Output<R>>,
}

impl<R> fmt::Debug for OrderedMap<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderedMap").field("capacity", &self.output.capacity).finish_non_exhaustive()
    }
}

impl<R> Iterator for OrderedMap<R> {
    type Item = R;

    fn next(&mut self) -> Option<R> {
        let mut state = self.output.lock();
        loop {
            let next = state.next;
            if let Some(result) = state.done.remove(&next) {
                state.next += 1;
                state.in_flight -= 1;
                self.output.room.notify_one();
                return Some(result);
            }
            if state.workers == 0 || state.cancelled {
                return None;
            }
            state = self.output.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<R> Drop for OrderedMap<R> {
    fn drop(&mut self) {
        self.output.lock().cancelled = true;
        self.output.room.notify_all();
    }
}

struct Output<R> {
    state: Mutex<OutputState<R>>,
    capacity: usize,
    room: Condvar,
    ready: Condvar,
}

struct OutputState<R> {
    /// Results that wait for an earlier one.
    done: BTreeMap<u64, R>,
    next: u64,
    in_flight: usize,
    workers: usize,
    cancelled: bool,
}

impl<R> Output<R> {
    fn lock(&self) -> MutexGuard<'_, OutputState<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves a place for one more item; false when nobody wants results any more.
    fn wait_for_room(&self) -> bool {
        let mut state = self.lock();
        while state.in_flight >= self.capacity && !state.cancelled {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.in_flight += 1;
        !state.cancelled
    }

    fn put(&self, seq: u64, result: R) {
        let mut state = self.lock();
        state.done.insert(seq, result);
        if seq == state.next {
            self.ready.notify_one();
        }
    }
}

/// A worker that is counted, and signed off however it ends: the consumer never waits for a dead one.
struct Worker<R> {
    output: Arc<Output<R>>,
    /// Whether it holds a place that it has not filled.
    reserved: bool,
}

impl<R> Worker<R> {
    fn sign_on(output: &Arc<Output<R>>) -> Self {
        output.lock().workers += 1;
        Self { output: Arc::clone(output), reserved: false }
    }

    fn reserve(&mut self) -> bool {
        let wanted = self.output.wait_for_room();
        self.reserved = true;
        wanted
    }

    fn put(&mut self, seq: u64, result: R) {
        self.reserved = false;
        self.output.put(seq, result);
    }
}

impl<R> Drop for Worker<R> {
    fn drop(&mut self) {
        let mut state = self.output.lock();
        state.workers -= 1;
        // After a panic the sequence has a hole: nothing behind it can be handed out.
        state.cancelled |= std::thread::panicking();
        state.in_flight -= usize::from(self.reserved);
        drop(state);
        self.output.room.notify_all();
        self.output.ready.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn threads(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).unwrap()
    }

    #[test]
    fn results_keep_the_order_of_the_items_for_any_number_of_threads() {
        for n in [1, 2, 3, 8] {
            let out: Vec<u64> = std::thread::scope(|scope| {
                ordered_map(scope, threads(n), 0..500u64, |x| {
                    if x % 7 == 0 {
                        std::thread::yield_now();
                    }
                    x * 3
                })
                .collect()
            });
            assert_eq!(out, (0..500).map(|x| x * 3).collect::<Vec<_>>(), "{n} threads");
        }
    }

    #[test]
    fn chained_stages_keep_the_order() {
        let out: Vec<u64> = std::thread::scope(|scope| {
            let first = ordered_map(scope, threads(2), 0..200u64, |x| x + 1);
            ordered_map(scope, threads(2), first, |x| x * 2).collect()
        });
        assert_eq!(out, (0..200).map(|x| (x + 1) * 2).collect::<Vec<_>>());
    }

    #[test]
    fn in_flight_items_are_bounded() {
        let taken = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let source = (0..1000u64).inspect(|_| {
                taken.fetch_add(1, Ordering::SeqCst);
            });
            let mut out = ordered_map(scope, threads(2), source, |x| x);
            for received in 1..=50 {
                assert!(out.next().is_some());
                // 4 in flight, and the places that the consumer has just freed.
                assert!(taken.load(Ordering::SeqCst) <= received + 4);
            }
        });
        assert!(taken.load(Ordering::SeqCst) < 1000, "dropping the iterator stops the source");
    }

    #[test]
    fn a_panic_in_a_worker_reaches_the_caller() {
        let caught = std::panic::catch_unwind(|| {
            std::thread::scope(|scope| {
                ordered_map(scope, threads(2), 0..100u64, |x| {
                    assert!(x != 10, "planted");
                    x
                })
                .count()
            })
        });
        assert!(caught.is_err());
    }

    #[test]
    fn an_empty_source_gives_nothing() {
        let n = std::thread::scope(|scope| {
            ordered_map(scope, threads(2), std::iter::empty::<u64>(), |x| x).count()
        });
        assert_eq!(n, 0);
    }
}
