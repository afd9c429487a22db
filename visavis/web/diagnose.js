// @ts-check
/** What a connection can tell about itself: why no media flows, and how well it flows. */

/**
 * @param {RTCPeerConnection} pc
 * @returns {Promise<Map<string, any>>}
 */
async function stats(pc) {
  const all = new Map();
  (await pc.getStats()).forEach((each) => all.set(each.id, each));
  return all;
}

/**
 * The candidate types of both sides, as "host udp, relay udp", and what became of the pairs.
 * @param {RTCPeerConnection} pc
 */
export async function candidateReport(pc) {
  const local = new Set();
  const remote = new Set();
  const pairs = { total: 0, failed: 0, succeeded: 0 };
  for (const each of (await stats(pc)).values()) {
    const name = `${each.candidateType} ${each.relayProtocol ?? each.protocol ?? ""}`.trim();
    if (each.type === "local-candidate") local.add(name);
    if (each.type === "remote-candidate") remote.add(name);
    if (each.type === "candidate-pair") {
      pairs.total += 1;
      if (each.state === "failed") pairs.failed += 1;
      if (each.state === "succeeded") pairs.succeeded += 1;
    }
  }
  for (const line of pc.remoteDescription?.sdp.match(/^a=candidate:.*$/gm) ?? []) {
    const part = line.split(" ");
    remote.add(`${part[7]} ${part[2].toLowerCase()}`);
  }
  const turn = (pc.getConfiguration().iceServers ?? []).some(({ urls }) => String(urls).includes("turn"));
  /** @param {Set<string>} set */
  const list = (set) => [...set].sort().join(", ") || "–";
  return { local: list(local), remote: list(remote), pairs, turn };
}

/**
 * @param {RTCPeerConnection} pc
 * @returns {Promise<{width: number, height: number, fps: number, frames: number, dropped: number, bytes: number,
 *   soundBytes: number, lost: number, codec: string, rtt: number | null, buffer: number | null, route: string}>}
 */
export async function mediaReport(pc) {
  const all = await stats(pc);
  const report = {
    width: 0, height: 0, fps: 0, frames: 0, dropped: 0, bytes: 0, soundBytes: 0, lost: 0, codec: "–",
    rtt: /** @type {number | null} */ (null), buffer: /** @type {number | null} */ (null), route: "–",
  };
  for (const each of all.values()) {
    if (each.type === "inbound-rtp" && each.kind === "video") {
      report.width = each.frameWidth ?? 0;
      report.height = each.frameHeight ?? 0;
      report.fps = each.framesPerSecond ?? 0;
      report.frames = each.framesDecoded ?? 0;
      report.dropped = each.framesDropped ?? 0;
      report.bytes = each.bytesReceived ?? 0;
      report.lost = each.packetsLost ?? 0;
      report.codec = all.get(each.codecId)?.mimeType?.split("/")[1] ?? "–";
      if (each.jitterBufferEmittedCount) report.buffer = each.jitterBufferDelay / each.jitterBufferEmittedCount;
    }
    if (each.type === "inbound-rtp" && each.kind === "audio") report.soundBytes = each.bytesReceived ?? 0;
    if (each.type === "candidate-pair" && each.nominated && each.state === "succeeded") {
      report.rtt = each.currentRoundTripTime ?? null;
      const near = all.get(each.localCandidateId);
      const far = all.get(each.remoteCandidateId);
      report.route = `${near?.candidateType ?? "?"} → ${far?.candidateType ?? "?"} (${near?.protocol ?? "?"})`;
    }
  }
  return report;
}
