package urlsign

import "time"

// stampText is the length of "203001010800".
const stampText = len("YYYYMMDDHHMM")

// beijing is the time zone of stamps. It has had no other offset since 1991.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// appendStamp writes the minute in which t is, or the nearest that four digits
// of a year can tell: a stamp never reaches beyond t.
func appendStamp(dst []byte, t time.Time) []byte {
	const lastMinute = 253402271940 // 9999-12-31 23:59 in UTC+8
	t = time.Unix(min(max(t.Unix(), 0), lastMinute), 0).In(beijing)
	return t.AppendFormat(dst, "200601021504")
}

// parseStamp reads twelve digits that are a minute of the calendar.
func parseStamp(s string) (seconds int64, ok bool) {
	if len(s) != stampText {
		return 0, false
	}
	var parts [6]int
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		parts[i/2] = parts[i/2]*10 + int(s[i]-'0')
	}
	year, month, day, hour, minute := parts[0]*100+parts[1], time.Month(parts[2]), parts[3], parts[4], parts[5]
	t := time.Date(year, month, day, hour, minute, 0, 0, beijing)
	if year < 1970 || t.Month() != month || t.Day() != day || t.Hour() != hour || t.Minute() != minute {
		return 0, false
	}
	return t.Unix(), true
}
