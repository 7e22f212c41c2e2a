//! Whether what a user did at first was followed by other things.

/// Returns for every condition whether an event meets it and another, or the same, meets the first condition.
///
/// The first answer is whether the first condition is met; where it is not, no answer is true. The order of the events does
/// not matter, and one event may meet several conditions.
///
/// # Method
/// ClickHouse's `retention(cond1, cond2, …)`, there limited to 32 conditions, and that of DuckDB's extension `behavioral`.
///
/// # Complexity
/// Events times conditions.
///
/// # Examples
/// Visitors of three days, as in ClickHouse's documentation: those who came on the first are retained, others are not.
/// ```
/// use cip_sessionize::retention;
/// let on = |day: u32| move |&visit: &u32| visit == day;
/// let days = [on(20200101), on(20200102), on(20200103)];
/// assert_eq!(retention(&[20200101, 20200102, 20200103], &days), [true, true, true]);
/// assert_eq!(retention(&[20200102, 20200103], &days), [false, false, false]);
/// assert_eq!(retention(&[20200103, 20200101], &days), [true, false, true]);
/// ```
pub fn retention<E>(events: &[E], conditions: &[impl Fn(&E) -> bool]) -> Vec<bool> {
    let Some(first) = conditions.first() else { return Vec::new() };
    let came = events.iter().any(first);
    conditions.iter().map(|condition| came && events.iter().any(condition)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_first_nothing_is_retained() {
        let is = |name: &'static str| move |event: &&str| *event == name;
        assert_eq!(retention(&["cart"], &[is("view"), is("cart")]), [false, false]);
        assert_eq!(retention(&["cart", "view"], &[is("view"), is("cart"), is("wish")]), [true, true, false]);
        assert_eq!(retention(&[], &[is("view")]), [false]);
        assert!(retention(&["view"], &[] as &[fn(&&str) -> bool]).is_empty());
    }

    #[test]
    fn conditions_may_be_of_different_kinds() {
        let bought: &dyn Fn(&(u32, &str)) -> bool = &|&(_, event_type)| event_type == "purchase";
        let late: &dyn Fn(&(u32, &str)) -> bool = &|&(day, _)| day > 3;
        assert_eq!(retention(&[(1, "purchase"), (4, "view")], &[bought, late]), [true, true]);
    }
}
