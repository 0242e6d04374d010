export default {
  "rooms.title": "Rooms",
  "rooms.name": "Room",
  "rooms.state": "State",
  "rooms.anchor": "Anchor",
  "rooms.created": "Created",
  "rooms.empty": "No rooms yet.",
  "rooms.state.0": "Prepared",
  "rooms.state.1": "Live",
  "rooms.state.2": "Ended"
};
