// The performer's screen: puts its parts together and keeps them in step with struck.

import { Connection } from "./connection.js";
import { Controls } from "./controls.js";
import { Head } from "./head.js";
import { Learn } from "./learn.js";
import { Log } from "./log.js";
import { Meters } from "./meters.js";
import { Pads } from "./pads.js";
import { Roll } from "./roll.js";
import { Snapshots } from "./snapshots.js";

const element = (id) => document.getElementById(id);
const connection = new Connection();
const head = new Head(connection);
const controls = new Controls(connection, element("sliders"));
const pads = new Pads(connection, element("pad-grid"), element("octave"), element("velocity"));
const learn = new Learn(connection, element("learn"), element("sliders"));
const snapshots = new Snapshots(connection, element("snapshots"), element("setlist"));
new Meters(connection, element("meters"));
new Roll(connection, element("roll"), element("roll-text"), element("legend"));
new Log(connection, element("lines"), element("peers"));

element("panic").addEventListener("click", () => pads.silence());

function enable(enabled) {
  for (const id of ["panic", "previous", "next", "patches"]) element(id).disabled = !enabled;
  pads.enable(enabled);
  learn.enable(enabled);
  snapshots.enable(enabled);
  controls.enable(enabled);
}

let tree = null; // as counted by struck: another count, other controls

async function load() {
  try {
    const tree = await controls.load();
    learn.attach();
    snapshots.load(tree);
  } catch {
    return false; // the connection has gone again, and tells so itself
  }
  enable(connection.mayChange);
  return true;
}

connection.addEventListener("status", ({ detail }) => {
  if (tree !== null && detail.tree !== tree) load();
  tree = detail.tree;
});
connection.addEventListener("hello", async ({ detail }) => {
  tree = null;
  if (!(await load())) return;
  head.say(detail.may_change ? "" : "View only: to play, open the address with the token that struck shows in the terminal");
  document.body.dataset.state = "connected";
});
connection.addEventListener("lost", () => {
  enable(false);
  document.body.dataset.state = "lost";
  head.say("Connection lost, trying again");
});
enable(false);
connection.open();
