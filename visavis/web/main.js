// @ts-check
/** The page: its parts put together, and `window.visavis` for those who build on it. */
import { OVER, Patience, mayStart } from "./comeback.js";
import { Conversation } from "./conversation.js";
import { apply, language, setLanguage } from "./i18n.js";
import { kiosk } from "./link.js";
import { allows } from "./machine.js";
import { vendorEvent } from "./rtvi.js";
import { Session } from "./session.js";
import { account } from "./signin.js";
import { modeOf } from "./talkmode.js";
import { Details } from "./ui/details.js";
import { Dock } from "./ui/dock.js";
import { button, byId, showView } from "./ui/dom.js";
import { listenForKeys } from "./ui/keys.js";
import { Message } from "./ui/message.js";
import { Panel } from "./ui/panel.js";
import { Questions } from "./ui/questions.js";
import { Stage } from "./ui/stage.js";
import { Start } from "./ui/start.js";
import { Status } from "./ui/status.js";
import { Transcript } from "./ui/transcript.js";
import { View } from "./view.js";

/** @typedef {import("./types.js").StartOptions} StartOptions */

apply();
const view = new View(/** @type {HTMLVideoElement} */ (byId("video")), /** @type {HTMLCanvasElement} */ (byId("drawn")));
const session = new Session(view);
const talk = new Conversation();

/** The names of the vendor's events, for integrators; its methods are the page's buttons. */
class Visavis extends EventTarget {
  /** Begin a conversation; without options, with what the link or the sign-in gives. @param {StartOptions} [options] */
  start = (options) => begin(options ?? start.wish() ?? {});
  stop = () => session.stop();
  interrupt = () => session.interrupt();
  /** @param {string} [by] what noticed somebody: VOICE, RADAR, INFRARED, CAMERA */
  wake = (by) => session.wake(by);
  // The same under the names of the vendor's browser SDK.
  /** Begin, by speaking or by typing; where a conversation runs, wake it. @param {{interactionMode?: "AUDIO" | "TEXT", wakeupType?: string} & StartOptions} [options] */
  startChat = ({ interactionMode, wakeupType, ...options } = {}) => {
    if (session.state === "live") return Promise.resolve(session.wake(wakeupType));
    const wish = Object.keys(options).length ? options : (start.wish() ?? {});
    return begin(interactionMode ? { ...wish, textOnly: interactionMode === "TEXT" } : wish);
  };
  stopChat = () => session.stop();
  interruptSpeaking = () => session.interrupt();
  startUserSpeak = () => session.talkMode.press();
  stopUserSpeak = () => session.talkMode.release();
  /** @param {string} text */
  ask = (text) => session.ask(text);
  mute = () => session.setMuted(true);
  unmute = () => session.setMuted(false);

  get state() {
    return session.state;
  }
  get chatState() {
    return talk.chatState;
  }
  /** Who may speak when: "full_duplex", "half_duplex", "push_to_talk" or "tap_to_talk". */
  get mode() {
    return session.talkMode.mode;
  }
  set mode(mode) {
    if (modeOf(mode)) session.talkMode.choose(mode);
  }
  /** Who draws the picture: "server" or "client" (this browser). */
  get render() {
    return view.mode;
  }
  set render(mode) {
    details.setRender(mode);
  }
  /** The RTCPeerConnection of the moment, for tests and statistics. */
  get debug() {
    return session.peer?.pc ?? null;
  }

  /** @param {string} name @param {unknown} detail */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
const visavis = new Visavis();
/** @type {any} */ (window).visavis = visavis;

new Status(session, talk);
new Stage(session, talk);
new Questions(session, talk);
talk.heardIn = (pts) => view.heardIn(pts, session.peer);
const dock = new Dock(session, talk);
const panel = new Panel();
const transcript = new Transcript(talk);
const details = new Details(session, talk, panel);
const message = new Message(act);
const start = new Start((options) => void begin(options));
const patience = new Patience();

/** @param {StartOptions} options */
async function begin(options) {
  if (!allows(session.state, "start")) return;
  message.close();
  if (!options.job && !options.code && !options.token) return start.open();
  const again = session.job && options.job?.job_id === session.job.job_id;
  if (!again) {
    talk.reset();
    transcript.clear();
  }
  showView("talk");
  panel.reset();
  byId("dock").focus();
  await session.start(options);
}

/** @param {string} action */
function act(action) {
  const kind = message.kind;
  message.close();
  const link = session.options;
  if (action === "dismiss") showView("talk");
  else if (action === "sound") {
    showView("talk");
    session.unblockSound();
  } else if (action === "signin") start.showSignIn();
  else if (action === "code") start.showCode();
  else if (session.state === "live" && action === "text") dock.toggleText(true);
  else if (session.state === "live" && kind.startsWith("mic")) void session.reopenMicrophone();
  else if (action === "text") void begin({ ...session.retryOptions(), textOnly: true });
  else if (action === "restart") {
    const wish = start.wish();
    if (wish) void begin({ ...wish, textOnly: link.textOnly });
    else start.open();
  } else if (session.state === "live") void session.reconnect();
  else void begin(session.retryOptions());
}

session.addEventListener("message", (event) => {
  const { detail } = /** @type {CustomEvent} */ (event);
  talk.receive(detail);
  const told = vendorEvent(detail, { jobId: session.job?.job_id ?? "", chatId: talk.chatId });
  if (told) visavis.emit(told.name, told.detail);
});
session.addEventListener("asked", (event) => talk.asked(/** @type {CustomEvent} */ (event).detail));
session.addEventListener("state", () => {
  if (session.state === "reconnecting") talk.pauseFlow();
  if (session.state === "ended" || session.state === "failed") panel.hide();
  if (session.state === "live") patience.reset();
});
session.addEventListener("problem", (event) => {
  const problem = /** @type {CustomEvent<import("./types.js").Problem | null>} */ (event).detail;
  if (!problem) return message.close();
  visavis.emit("error", { code: problem.kind, message: problem.details?.map(([, value]) => value).join(", ") ?? "" });
  const over = session.state === "live";
  // The conversation from before the power cut is over: a screen that nobody attends begins the next one.
  if (session.options.job && OVER.includes(problem.kind) && kiosk()) return void begin(start.wish() ?? {});
  message.problem(problem, over, !over && kiosk() ? patience.next(problem.kind) : 0);
});
session.addEventListener("ended", (event) => {
  const { detail } = /** @type {CustomEvent} */ (event);
  visavis.emit("jobEnd", { jobId: detail.jobId, reason: detail.reason });
  const again = kiosk() ? patience.next(`ended-${detail.reason}`) : 0;
  message.ended(detail, account() !== null || start.wish() !== null, again);
});

const help = /** @type {HTMLDialogElement} */ (byId("help"));
button("help-open").addEventListener("click", () => help.showModal());
button("help-close").addEventListener("click", () => help.close());
button("language").addEventListener("click", () => setLanguage(language() === "en" ? "zh" : "en"));
const full = button("fullscreen");
full.hidden = !document.fullscreenEnabled;
const toggleFull = () => void (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
full.addEventListener("click", toggleFull);
document.addEventListener("fullscreenchange", () => full.setAttribute("aria-pressed", String(document.fullscreenElement !== null)));

const live = () => session.state === "live";
listenForKeys(
  {
    m: () => live() && dock.toggleMic(),
    t: () => live() && dock.toggleText(true),
    w: () => session.wake(),
    c: () => live() && panel.toggle("transcript"),
    d: () => live() && panel.toggle("details"),
    r: () => live() && details.toggleRender(),
    f: () => document.fullscreenEnabled && toggleFull(),
    "?": () => help.showModal(),
  },
  () => {
    if (live() && talk.speaking) return session.interrupt();
    if (dock.textOpen) return dock.toggleText(false), true;
    if (panel.page) return panel.close(), true;
    return false;
  },
  {
    press: () => {
      if (live() && session.talkMode.manual) {
        // Held in push-to-talk; in tap-to-talk each press is a tap.
        if (session.talkMode.mode === "tap_to_talk") return dock.toggleMic(), false;
        session.talkMode.press();
        return true;
      }
      if (!live() || !session.muted || session.voice?.silent) return false;
      session.setMuted(false);
      return true;
    },
    release: () => (session.talkMode.manual ? void session.talkMode.release() : session.setMuted(true)),
  },
);

/** A device that keeps an activation code goes on by itself, where the browser lets it. */
async function comeBack() {
  const wish = start.wish();
  if (!kiosk() || !wish || !(await mayStart(Boolean(wish.textOnly)))) return;
  if (session.state === "idle" && document.body.dataset.view === "start") await begin(wish);
}

start.open();
void comeBack();
