//! What is known of one subscriber of a video service from the events before the cutoff.

use cip_core::{CoreError, check_sum, column};

use crate::features::Features;
use crate::input::Input;
use crate::texts::DistinctTexts;
use crate::window::KnownRows;

/// What an event of a subscription service is, for the types that features and labels give a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServiceKind {
    PageView,
    VideoStart,
    VideoComplete,
    Search,
    FeatureClick,
    Share,
    Download,
    /// `support`, and all that begins with `support_`.
    Support,
    Cancelled,
    Other,
}

/// What a user may use of the service.
const USES: [ServiceKind; 6] = [
    ServiceKind::PageView,
    ServiceKind::VideoStart,
    ServiceKind::Search,
    ServiceKind::FeatureClick,
    ServiceKind::Share,
    ServiceKind::Download,
];

impl ServiceKind {
    pub(crate) fn from_event_type(text: &str) -> Self {
        match text {
            "page_view" => Self::PageView,
            "video_start" => Self::VideoStart,
            "video_complete" => Self::VideoComplete,
            "search" => Self::Search,
            "feature_click" => Self::FeatureClick,
            "share" => Self::Share,
            "download" => Self::Download,
            "subscription_cancelled" => Self::Cancelled,
            _ if text == "support" || text.starts_with("support_") => Self::Support,
            _ => Self::Other,
        }
    }
}

/// How one subscriber uses the service. It is given [`KnownRows`], as all of the history.
#[derive(Debug)]
pub(crate) struct ServiceUse {
    /// By kind.
    counts: [i64; ServiceKind::Other as usize + 1],
    pub(crate) last_support: Option<i64>,
    pub(crate) last_video: Option<i64>,
    pub(crate) mobile: i64,
    devices: Option<DistinctTexts>,
    pub(crate) seconds: i128,
    pub(crate) revenue: i128,
}

impl ServiceUse {
    pub(crate) fn new(features: &Features) -> Self {
        let devices = features.input().has(column::DEVICE_TYPE);
        Self {
            counts: Default::default(),
            last_support: None,
            last_video: None,
            mobile: 0,
            devices: devices.then(|| DistinctTexts::new(column::DEVICE_TYPE)),
            seconds: 0,
            revenue: 0,
        }
    }

    /// Begins a batch.
    pub(crate) fn begin(&mut self, input: &Input<'_>) -> Result<(), CoreError> {
        match (&mut self.devices, input.devices) {
            (Some(distinct), Some(devices)) => distinct.begin(devices),
            _ => Ok(()),
        }
    }

    /// Adds events of the window, in the order of time.
    pub(crate) fn extend(&mut self, known: &KnownRows<'_>) -> Result<(), CoreError> {
        if let Some(kinds) = known.service_kinds() {
            kinds.iter().for_each(|&kind| self.counts[kind as usize] += 1);
            let last_of = |any: &[ServiceKind]| {
                kinds.iter().rposition(|kind| any.contains(kind)).map(|row| known.times()[row])
            };
            self.last_support = last_of(&[ServiceKind::Support]).or(self.last_support);
            self.last_video =
                last_of(&[ServiceKind::VideoStart, ServiceKind::VideoComplete]).or(self.last_video);
        }
        if let Some(distinct) = &mut self.devices {
            known.add_devices(distinct)?;
        }
        self.mobile += known.mobile_events();
        self.seconds += known.seconds();
        let revenue = known.add_revenue(self.revenue);
        self.revenue = revenue.ok_or(CoreError::MoneyOverflow { column: column::REVENUE })?;
        Ok(())
    }

    pub(crate) fn count(&self, kind: ServiceKind) -> i64 {
        self.counts[kind as usize]
    }

    /// How many of the things that there are to do the user does.
    pub(crate) fn breadth(&self) -> i64 {
        USES.iter().map(|&kind| i64::from(self.count(kind) > 0)).sum()
    }

    pub(crate) fn devices(&self) -> i64 {
        self.devices.as_ref().map_or(0, DistinctTexts::count) as i64
    }

    /// Checks the sum of money.
    pub(crate) fn check(&self) -> Result<(), CoreError> {
        check_sum(column::REVENUE, Some(self.revenue)).map(|_| ())
    }

    /// Forgets the user.
    pub(crate) fn clear(&mut self) {
        (self.counts, self.mobile, self.seconds, self.revenue) = (Default::default(), 0, 0, 0);
        (self.last_support, self.last_video) = (None, None);
        if let Some(devices) = &mut self.devices {
            devices.clear();
        }
    }
}
