// @ts-check
/** Every waiting time of the page, in milliseconds. Tests shorten them; nothing else writes here. */
export const TIMING = {
  /** A request to the server. */
  request: 15000,
  /** From the answer to a working connection. */
  connect: 15000,
  /** A connection may stumble for this long before the page reconnects. */
  lost: 2500,
  /** Connected, yet no picture: after this the page says so. */
  noMedia: 5000,
  /** A graphics card that went away may come back within this time; then the server draws. */
  drawing: 4000,
  /** Pauses before each attempt to reconnect. */
  backoff: [300, 1000, 2000, 4000, 8000],
  /** From "stop" to the job's end being told; after it the page leaves anyway. */
  closing: 4000,
  /** Pauses before each try of a screen that nobody attends to start again; the last is repeated. */
  comeback: [5000, 10000, 20000, 30000, 60000],
  /** Candidates found within this time travel in one request. */
  trickle: 40,
};

/**
 * A pause that ends early when the signal aborts (then it rejects).
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(done, ms);
    function done() {
      signal?.removeEventListener("abort", stop);
      resolve();
    }
    function stop() {
      clearTimeout(timer);
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", stop, { once: true });
  });
}
