// @ts-check
/** The stage: the picture, what surrounds it, the subtitle, sleep, and notices. */
import { CHAT } from "../conversation.js";
import { onLanguage, t } from "../i18n.js";
import { button, byId, make } from "./dom.js";
import { canvasOf, defaultBox, fitPicture, placeSubtitle } from "./layout.js";

const AMBIENT_MS = 4000;

export class Stage {
  #stage = byId("stage");
  #video = /** @type {HTMLVideoElement} */ (byId("video"));
  #drawn = /** @type {HTMLCanvasElement} */ (byId("drawn"));
  #ambient = /** @type {HTMLCanvasElement} */ (byId("ambient"));
  #subtitle = byId("subtitle");
  #words = /** @type {HTMLElement} */ (this.#subtitle.firstElementChild);
  #said = new Text();
  #unsaid = make("span", { class: "unsaid", "aria-hidden": "true" });
  #notice = byId("notice");
  #foot = /** @type {HTMLElement} */ (this.#stage.querySelector(".foot"));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #tick;
  #painted = -Infinity;
  #fills = true;

  /**
   * @param {import("../session.js").Session} session
   * @param {import("../conversation.js").Conversation} talk
   */
  constructor(session, talk) {
    this.session = session;
    this.talk = talk;
    this.#words.replaceChildren(this.#said, this.#unsaid);
    button("wake").addEventListener("click", () => session.wake());
    talk.addEventListener("flow", () => this.#flow());
    talk.addEventListener("subtitle", () => this.#showSubtitle());
    session.addEventListener("state", () => this.#flow());
    session.addEventListener("picture", () => {
      this.#stage.dataset.picture = "yes";
      this.#surround();
    });
    const observer = new ResizeObserver(() => this.#layout());
    observer.observe(this.#stage);
    observer.observe(this.#foot);
    this.#video.addEventListener("resize", () => this.#layout());
    session.view.addEventListener("mode", () => {
      if (session.view.mode === "client") delete this.#stage.dataset.transparent;
      this.#layout();
    });
    session.view.addEventListener("frame", () => this.#tint());
    onLanguage(() => this.#flow());
  }

  /** The picture's size: as received, or as the job says before the first picture. */
  #picture() {
    return this.session.view.size(this.session.job) ?? { width: 720, height: 1280 };
  }

  #layout() {
    const stage = { width: this.#stage.clientWidth, height: this.#stage.clientHeight };
    if (!stage.width) return;
    const picture = this.#picture();
    const rect = fitPicture(stage, picture);
    this.#fills = rect.fills;
    place(this.#video, rect);
    place(this.#drawn, rect);
    if (this.session.view.mode === "client") this.session.view.drawing.resize(rect.width * devicePixelRatio, rect.height * devicePixelRatio);
    const canvas = canvasOf(picture);
    const box = this.session.job?.chat_subtitle_config ?? defaultBox(canvas);
    const floor = this.#foot.offsetTop;
    document.documentElement.style.setProperty("--foot", `${stage.height - floor}px`);
    const at = placeSubtitle(box, canvas, rect, stage, floor);
    place(this.#subtitle, at);
    this.#fitWords(at.height, Math.min(rect.width, stage.width));
  }

  /** The largest letters that let the sentence fit into its box. @param {number} height @param {number} width */
  #fitWords(height, width) {
    if (this.#subtitle.hidden) return;
    const root = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const least = root * 0.95;
    let size = Math.max(least, Math.min(height * 0.42, width * 0.052, root * 2));
    this.#words.style.fontSize = `${size}px`;
    while (size > least && this.#words.offsetHeight > height) {
      size = Math.max(least, size * 0.92);
      this.#words.style.fontSize = `${size}px`;
    }
  }

  /** A sentence stands where it will stand, and its words appear as they sound. */
  #showSubtitle() {
    const { text, language, said } = this.talk.subtitle;
    const same = text === this.#words.textContent;
    this.#said.data = text.slice(0, said);
    this.#unsaid.textContent = text.slice(said);
    this.#subtitle.hidden = !text;
    if (same) return;
    if (language) this.#words.lang = /^(zh|cn)/i.test(language) ? "zh-CN" : "en";
    this.#layout();
  }

  #flow() {
    const { state } = this.session;
    const live = state === "live";
    if (["microphone", "starting", "connecting"].includes(state)) delete this.#stage.dataset.picture;
    const asleep = live && this.talk.chatState === CHAT.ASLEEP;
    document.body.dataset.asleep = String(asleep);
    byId("veil").hidden = !asleep;
    this.#layout();
    this.#count();
  }

  /** Notices count down once a second, and only while there is something to count. */
  #count() {
    clearTimeout(this.#tick);
    const { countdown, chatState } = this.talk;
    const live = this.session.state === "live";
    const left = countdown ? Math.ceil((countdown.until - performance.now()) / 1000) : 0;
    let text = "";
    if (live && countdown?.kind === "end" && left > 0) text = t("notice.mention", { s: left });
    else if (live && chatState === CHAT.FALLING_ASLEEP) text = t("notice.falling");
    this.#notice.hidden = !text;
    if (this.#notice.textContent !== text) this.#notice.textContent = text;
    if (live && left > 0) this.#tick = setTimeout(() => this.#count(), 1000);
  }

  /** The picture's own colours, far out of focus, beside a picture that does not fill the stage. */
  #surround() {
    if (this.session.state !== "live" || this.session.view.mode === "client") return;
    this.#tint();
    if ("requestVideoFrameCallback" in this.#video) this.#video.requestVideoFrameCallback(() => this.#surround());
  }

  /** Called while the picture can be read: a canvas only lends it in the task that drew it. */
  #tint() {
    const now = performance.now();
    const source = this.session.view.source(this.session.job);
    if (this.#fills || now - this.#painted <= AMBIENT_MS || !source) return;
    this.#painted = now;
    paintEdges(source, this.#ambient);
  }
}

/** @param {HTMLElement} element @param {import("./layout.js").Rect} rect */
function place(element, rect) {
  element.style.left = `${rect.x}px`;
  element.style.top = `${rect.y}px`;
  element.style.width = `${rect.width}px`;
  element.style.height = `${rect.height}px`;
}

/**
 * Carry the colours of the picture's edges outwards, so that it seems to go on beside itself. Made tiny first: growing
 * again is the blur, and costs next to nothing.
 * @param {HTMLVideoElement | HTMLCanvasElement} video
 * @param {HTMLCanvasElement} canvas
 */
function paintEdges(video, canvas) {
  const [width, height] = video instanceof HTMLVideoElement ? [video.videoWidth, video.videoHeight] : [video.width, video.height];
  const upright = video.clientHeight >= (video.parentElement?.clientHeight ?? 0); // bars beside it, else above and below
  const tiny = document.createElement("canvas");
  tiny.width = upright ? 2 : 10;
  tiny.height = upright ? 10 : 2;
  const small = tiny.getContext("2d");
  const large = canvas.getContext("2d");
  if (!small || !large) return;
  const [strip, length] = upright ? [width * 0.06, height] : [height * 0.06, width];
  for (const side of [0, 1]) {
    if (upright) small.drawImage(video, side * (width - strip), 0, strip, length, side, 0, 1, 10);
    else small.drawImage(video, 0, side * (height - strip), length, strip, 0, side, 10, 1);
  }
  large.imageSmoothingEnabled = true;
  large.imageSmoothingQuality = "high";
  large.drawImage(tiny, 0, 0, canvas.width, canvas.height);
}
