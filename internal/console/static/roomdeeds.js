// What can be done with a room, shared by the list and the page of one.

import { send, seg } from './api.js';
import { t } from './i18n.js';
import { badge } from './ui/badge.js';
import { confirmDialog, formDialog } from './ui/dialog.js';
import { fail, toast } from './ui/toast.js';

const tones = { prepared: 'accent', live: 'good', ended: 'plain' };

export const roomState = (room) => badge(tones[room.state], t(`rooms.state.${room.state}`), { live: room.state === 'live' });

const path = (room, deed) => `/api/v1/rooms/${seg(room.id)}${deed ? `/${deed}` : ''}`;

// createRoom returns the new room, or undefined.
export function createRoom() {
  return formDialog({
    title: t('rooms.create'), text: t('rooms.create.text'),
    fields: [
      ...fields({}),
      { name: 'mode', label: t('rooms.mode'), type: 'select', value: '0', options: [['0', t('rooms.mode.ordinary')], ['1', t('rooms.mode.link')]], hint: t('rooms.mode.hint') },
    ],
    submit: t('rooms.create.submit'),
    onSubmit: async ({ mode, ...rest }) => {
      const room = await send('POST', '/api/v2/live/create', { ...rest, mode: Number(mode), im_server: ['aliyun_new'] });
      toast(t('rooms.created.toast', { title: room.title }));
      return room;
    },
  });
}

const fields = (room) => [
  { name: 'title', label: t('rooms.name'), required: true, value: room.title, attributes: { maxlength: 63, autocomplete: 'off' } },
  { name: 'notice', label: t('rooms.notice'), value: room.notice, type: 'textarea', attributes: { maxlength: 256 } },
];

// editRoom is for the anchor of a room: nobody else may change what it says.
export function editRoom(room) {
  return formDialog({
    title: t('rooms.edit'), fields: fields(room), submit: t('core.save'),
    onSubmit: async (values) => {
      await send('POST', '/api/v1/live/update', { id: room.id, ...values });
      toast(t('rooms.saved'));
    },
  });
}

// moveRoom starts or pauses a room, which can be undone.
export async function moveRoom(room, deed) {
  try {
    const moved = await send('POST', path(room, deed));
    toast(t(`rooms.done.${deed}`, { title: room.title }));
    return moved;
  } catch (err) {
    fail(err);
    return undefined;
  }
}

export const stopRoom = (room) => confirmDialog({
  title: t('rooms.stop.title', { title: room.title }), text: t('rooms.stop.text'), action: t('rooms.stop'), danger: true,
  act: async () => {
    await send('POST', path(room, 'stop'));
    toast(t('rooms.done.stop', { title: room.title }));
  },
});

export const deleteRoom = (room) => confirmDialog({
  title: t('rooms.delete.title', { title: room.title }), text: t('rooms.delete.text'), action: t('core.delete'), danger: true, type: room.title,
  act: async () => {
    await send('DELETE', path(room));
    toast(t('rooms.done.delete', { title: room.title }));
  },
});
