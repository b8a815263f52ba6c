// Asks for the views again and again, and marks what has changed.

const EVERY_MS = 500;
const ACCOUNTS_SHOWN = 100;

/** Shows rows of texts, each under its key: new ones are added, and those that changed are marked. */
function show(tableBody, rows) {
  const shown = new Map([...tableBody.rows].map((row) => [row.dataset.key, row]));
  rows.forEach(({ key, texts }, place) => {
    const row = shown.get(key) ?? newRow(key, texts.length);
    shown.delete(key);
    if (tableBody.rows[place] !== row) tableBody.insertBefore(row, tableBody.rows[place] ?? null);
    texts.forEach((text, column) => {
      const cell = row.cells[column];
      if (cell.textContent === text) return;
      cell.textContent = text;
      mark(cell);
    });
  });
  for (const row of shown.values()) row.remove();
}

function newRow(key, columns) {
  const row = document.createElement('tr');
  row.dataset.key = key;
  for (let column = 0; column < columns; column++) row.insertCell();
  return row;
}

function mark(cell) {
  cell.classList.remove('changed');
  // Reading a size begins the animation anew.
  void cell.offsetWidth;
  cell.classList.add('changed');
}

function euros(cents) {
  return (cents / 100).toFixed(2);
}

async function getJson(path) {
  const response = await fetch(path);
  // Without DynamoDB the application has no view of accounts.
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`${path} answers ${response.status}`);
  return response.json();
}

async function refresh() {
  const [accounts, statistics, changed] = await Promise.all([
    getJson(`/accounts?limit=${ACCOUNTS_SHOWN}`),
    getJson('/permit-statistics'),
    getJson('/permit-cases/changed'),
  ]);
  const byOwner = (accounts ?? []).toSorted((one, other) => one.owner.localeCompare(other.owner));
  show(
    document.querySelector('#accounts'),
    byOwner.map(({ id, owner, cents, isClosed, version }) => ({
      key: id,
      texts: [isClosed ? `${owner} (closed)` : owner, euros(cents), String(version)],
    })),
  );
  const { cases, steps, users } = statistics;
  const casesShown = document.querySelector('#cases');
  casesShown.textContent = String(cases);
  show(
    document.querySelector('#steps'),
    steps.map(({ step, times }) => ({ key: step, texts: [step, String(times)] })),
  );
  show(
    document.querySelector('#users'),
    users.map(({ user, times }) => ({ key: user, texts: [user, String(times)] })),
  );
  show(
    document.querySelector('#changed'),
    changed.map(({ caseId, step, user, storedAt }) => ({
      key: caseId,
      texts: [caseId, step, user, new Date(storedAt).toLocaleString()],
    })),
  );
}

async function follow() {
  const state = document.querySelector('#state');
  try {
    await refresh();
    state.textContent = '';
  } catch {
    state.textContent = 'The application does not answer; trying again.';
  }
  setTimeout(follow, EVERY_MS);
}

void follow();
