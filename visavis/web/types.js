// @ts-check
/**
 * Shapes that several modules share. This module holds no code.
 *
 * @typedef {{user_type: string, user_id: string, signature: string, ctime: number}} RtcUser
 * @typedef {{dx: number, dy: number, width: number, height: number}} SubtitleBox  canvas pixels
 * @typedef {object} Job  the answer of `POST /page/v1/sessions`, as far as the page reads it
 * @property {string} job_id
 * @property {{app_id: string, room_id: string, users: RtcUser[]}} rtc_room_info
 * @property {SubtitleBox | null} [chat_subtitle_config]
 * @property {{width: number, height: number} | null} [video_config]
 * @property {"server" | "client"} [render_mode] who draws the picture, unless the person wants it otherwise
 * @property {string} [talk_mode] who may speak when, to begin with: talkmode.js
 * @property {string[]} [wake_words] phrases of which one wakes it; none: any speech does
 * @property {{transparency: "none" | "key" | "side", key_color: string}} [picture] how the video is to be shown
 * @property {boolean} [recorded] the sound or the words of the conversation are kept
 * @property {string} [language]
 * @property {string} [default_language]
 *
 * @typedef {object} StartOptions
 * @property {string} [project]
 * @property {string} [room]
 * @property {string} [code] one-time code or activation code; or
 * @property {string} [token] an IAM token
 * @property {Job} [job] a running job to join again; nothing is started then
 * @property {boolean} [textOnly] do not ask for the microphone
 * @property {RTCIceTransportPolicy} [iceTransportPolicy] "relay": TURN only
 *
 * @typedef {object} Room
 * @property {string} room_id
 * @property {string} [room_name]
 * @property {string} [room_description]
 * @property {string} [default_language]
 * @property {number} [concurrency]
 *
 * @typedef {object} Problem  something that went wrong, in a form that can be said in words
 * @property {string} kind  key of `problem.<kind>.*` in the dictionaries
 * @property {Record<string, string | number>} [params] for the words
 * @property {[string, string][]} [details] label key and value, for whoever helps
 * @property {number} [wait] seconds that the server asks to wait
 *
 * @typedef {{type: string, data: Record<string, any>}} RtviMessage
 */
export {};
