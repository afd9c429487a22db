// A backend in Node: the official SDK's core, with requests signed by it. What to do comes as JSON on standard input,
// what came of it goes as JSON to standard output.
const { HcClient } = require("@huaweicloud/huaweicloud-sdk-core/HcClient");
const { ClientBuilder } = require("@huaweicloud/huaweicloud-sdk-core/ClientBuilder");
const { BasicCredentials } = require("@huaweicloud/huaweicloud-sdk-core/auth/BasicCredentials");

const ROOMS = "/v1/{project_id}/smart-chat-rooms";
const JOBS = "/v1/{project_id}/digital-human-chat/smart-chat-rooms/{room_id}/smart-chat-jobs";

// As the generated clients of the other services do it: one object that describes the call.
const call = (method, url, pathParams = {}, { data, queryParams = {}, headers = {} } = {}) => ({
  method, url, pathParams, queryParams, headers: { ...headers }, data,
  contentType: "application/json", responseHeaders: ["X-Request-Id"],
});

function client({ ak, sk, project, token, endpoint }) {
  const credentials = new BasicCredentials().withAk(ak).withSk(sk).withProjectId(project);
  if (token) credentials.withSecurityToken(token);
  return new ClientBuilder((hcClient) => hcClient).withCredential(credentials).withEndpoint(endpoint).build();
}

async function main(told) {
  const hc = client(told);
  const answers = {};
  const voices = [{ voice_asset_id: "default", language: "CN" }];
  const { room_id } = await hc.sendRequest(
    call("POST", ROOMS, {}, { data: { room_name: "大厅 α+β & more", concurrency: 1, voice_config_list: voices } }));
  answers.rooms = await hc.sendRequest(
    call("GET", ROOMS, {}, { queryParams: { room_name: "大厅 α+β & more", limit: 10, offset: 0 } }));
  answers.started = await hc.sendRequest(
    call("POST", JOBS, { room_id }, { data: {}, queryParams: { robot_id: told.robot }, headers: { "X-App-UserId": "reception-7" } }));
  const { job_id } = answers.started;
  answers.shown = await hc.sendRequest(call("GET", `${JOBS}/{job_id}/state`, { room_id, job_id }));
  try {
    await hc.sendRequest(call("GET", `${JOBS}/{job_id}/state`, { room_id, job_id: "0".repeat(32) }));
  } catch (error) {
    answers.missing = { status: error.httpStatusCode, code: error.errorCode, message: error.errorMsg, request: error.requestId };
  }
  try {
    await client({ ...told, sk: "wrong" }).sendRequest(call("GET", ROOMS));
  } catch (error) {
    answers.refused = { status: error.httpStatusCode, code: error.errorCode };
  }
  return answers;
}

let input = "";
process.stdin.on("data", (part) => (input += part)).on("end", () =>
  main(JSON.parse(input)).then(
    (answers) => process.stdout.write(`\n${JSON.stringify(answers)}\n`),
    (error) => { process.stderr.write(`${JSON.stringify(error)} ${error.stack}\n`); process.exitCode = 1; }));
