//! What the session decided is done in the world: links are opened and told things, sound is played, a process lets go.

use std::time::Duration;

use engine::ids::{ItemId, LinkNo};
use engine::link::LinkEvent;
use engine::session::{Input, MediaFact, Notice, Output};

use super::server::Process;
use super::vendor::Saying;
use super::world::{Event, World};

impl World {
    /// Carries out whatever the journal does not hold up.
    pub(super) fn carry_out(&mut self) {
        while let Some(output) = self.process.as_mut().and_then(Process::next) {
            self.perform(output);
        }
        if self.process.as_mut().is_some_and(Process::write) {
            let slow = self.luck.permille(10);
            let span = self.luck.ms(1, if slow { 800 } else { 8 });
            self.after(span, Event::Committed(self.life));
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::OpenLink { link, config } => {
                let said = self.vendor.open(self.now, link.0, &config, &mut self.luck);
                self.say(Duration::ZERO, said);
            }
            Output::CloseLink { link } => {
                if self
                    .vendor
                    .line
                    .as_ref()
                    .is_some_and(|line| line.no == link.0)
                {
                    self.vendor.line = None;
                }
            }
            Output::Link { link, command } => {
                if self
                    .vendor
                    .line
                    .as_ref()
                    .is_some_and(|line| line.no == link.0)
                {
                    let said = self.vendor.told(&command, &mut self.luck);
                    self.say(Duration::ZERO, said);
                }
            }
            Output::PlayHold { item } => {
                self.playout.expect(&item, 2_000);
                self.begin_playing(&item);
            }
            Output::Tell(Notice::Ended { .. }) => self.end_page(),
            Output::ClosePeer { peer } => {
                if self.peer.is_some_and(|(no, _)| no == peer.0) {
                    self.peer = None;
                    self.come_again();
                }
            }
            Output::Park | Output::Finish { .. } => {
                self.reference.process_over();
                self.process = None;
                self.forget_process();
                if std::mem::take(&mut self.deploying) {
                    self.go_down();
                }
                self.come_again();
            }
            Output::Journal(_)
            | Output::CutPlayout
            | Output::DropUtterance { .. }
            | Output::Tell(_)
            | Output::Measure { .. } => {}
        }
    }

    /// What a link will say.
    pub(super) fn say(&mut self, delay: Duration, said: Vec<Saying>) {
        let Some(no) = self.vendor.line.as_ref().map(|line| line.no) else {
            return;
        };
        for (at, response, event) in said {
            if let LinkEvent::UtteranceDone { item, audio_ms, .. } = &event {
                self.playout.expect(item, *audio_ms);
            }
            self.after(delay + at, Event::Link(self.life, no, response, event));
        }
    }

    /// A link says something now, if it still can.
    pub(super) fn link_says(&mut self, link: u32, response: u32, event: LinkEvent) {
        let line = self.vendor.line.as_mut();
        let Some(line) = line.filter(|line| {
            line.no == link && !line.stalled && (response == 0 || line.response == response)
        }) else {
            return;
        };
        let mut began = None;
        let mut interrupts = false;
        match &event {
            LinkEvent::Ready { .. } => line.ready = true,
            LinkEvent::ResponseStarted { .. } => (line.busy, line.pending) = (true, false),
            LinkEvent::ResponseDone { .. } => line.busy = false,
            LinkEvent::UtteranceStarted { item, .. } => began = Some(item.clone()),
            LinkEvent::SpeechStarted { item } => {
                line.hearing = Some(item.clone());
                interrupts = true;
            }
            LinkEvent::Gone { .. } => self.vendor.line = None,
            _ => {}
        }
        if interrupts {
            let said = self.vendor.interrupt();
            self.say(Duration::ZERO, said);
        }
        self.tell(Input::Link(LinkNo(link), event));
        if let Some(item) = began {
            self.begin_playing(&item);
        }
    }

    fn begin_playing(&mut self, item: &ItemId) {
        if self.playout.begin(item) {
            self.after(
                Duration::from_millis(40),
                Event::PlayStart(self.life, item.clone()),
            );
        }
    }

    pub(super) fn cut(&mut self) {
        let Some(process) = &self.process else { return };
        let at = process.mono(self.now);
        for (item, played_ms) in self.playout.cut(self.now) {
            let fact = MediaFact::PlayoutEnded {
                item,
                at,
                played_ms,
                cut: true,
            };
            self.after(Duration::ZERO, Event::Report(self.life, fact));
        }
    }
}
