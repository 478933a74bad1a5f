/** Every test in one process: loading the CDK takes longer than all of them. */
import "./binary.test";
import "./doors.test";
import "./functions.test";
import "./grants.test";
import "./lanes.test";
import "./nag.test";
import "./parameters.test";
import "./queues.test";
import "./sources.test";
import "./storage.test";
