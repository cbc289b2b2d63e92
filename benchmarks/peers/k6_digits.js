// k6's side. Environment: URL, BODY_FILE, HEADER_LENGTH, SECONDS, and RATE (0 for a closed loop of USERS users).
import http from "k6/http";

const body = open(__ENV.BODY_FILE, "b");
const parameters = {
  headers: {
    "Content-Type": "application/octet-stream",
    "Inference-Header-Content-Length": __ENV.HEADER_LENGTH,
  },
};
const rate = Number(__ENV.RATE);
const duration = `${__ENV.SECONDS}s`;
const users = Number(__ENV.USERS);

export const options = {
  discardResponseBodies: true,
  scenarios: {
    digits: rate
      ? { executor: "constant-arrival-rate", rate, timeUnit: "1s", duration, preAllocatedVUs: users, maxVUs: 4 * users }
      : { executor: "constant-vus", vus: users, duration },
  },
};

export default function () {
  http.post(__ENV.URL, body, parameters);
}
