// What one would write by hand: named workers with a queue each, one message at a time, requests by promise, nothing else: no bounds, no
// deadlines, no failures told, no other process. Messages of one turn are handed over together, when the promise jobs have drained.

const workers = new Map();
let batch = [];

/** A worker: a behaviour and the messages that wait for it. */
class Worker {
  isBusy = false;
  queue = [];
  head = 0;
  settled = undefined;

  constructor(behaviour) {
    this.behaviour = behaviour;
  }

  take(resolve, message) {
    if (this.isBusy) this.queue.push(resolve, message);
    else this.handle(resolve, message);
  }

  handle(resolve, message) {
    let result;
    try {
      result = this.behaviour.handleMessage(new Context(resolve), message);
    } catch (error) {
      console.error(error);
      return;
    }
    if (result === undefined) return;
    this.isBusy = true;
    this.settled ??= () => this.next();
    result.then(this.settled, this.settled);
  }

  next() {
    this.isBusy = false;
    while (!this.isBusy && this.head < this.queue.length) {
      const resolve = this.queue[this.head];
      const message = this.queue[this.head + 1];
      this.head += 2;
      this.handle(resolve, message);
    }
    if (this.head === this.queue.length) {
      this.queue.length = 0;
      this.head = 0;
    }
  }
}

/** What a handler gets. */
class Context {
  constructor(resolve) {
    this.resolve = resolve;
  }

  reply(message) {
    const { resolve } = this;
    if (resolve === undefined) return;
    this.resolve = undefined;
    post(undefined, resolve, message);
  }
}

function post(worker, resolve, message) {
  batch.push(worker, resolve, message);
  if (batch.length === 3) process.nextTick(deliver);
}

function deliver() {
  const due = batch;
  batch = [];
  for (let i = 0; i < due.length; i += 3) {
    const worker = due[i];
    if (worker === undefined) due[i + 1](due[i + 2]);
    else worker.take(due[i + 1], due[i + 2]);
  }
}

export function start(name, behaviour) {
  workers.set(name, new Worker(behaviour));
}

export function ask(name, message) {
  return new Promise((resolve) => post(workers.get(name), resolve, message));
}

export function send(name, message) {
  post(workers.get(name), undefined, message);
}
