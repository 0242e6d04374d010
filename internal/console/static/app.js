// The first module: takes up the login, loads the texts, shows the console.

import { loadTexts } from './i18n.js';
import { onBegin, onEnd, restore } from './session.js';
import { showLogin } from './login.js';
import { endShell, showShell } from './shell.js';

const root = document.getElementById('app');

onEnd((why) => {
  endShell();
  showLogin(root, start, why);
});

onBegin(start);

async function start() {
  await showShell(root);
}

const [known] = await Promise.all([restore(), loadTexts('core')]);
if (known) await start();
else showLogin(root, start);
