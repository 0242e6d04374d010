package media

// Link is a URL to be handed out, before it is signed.
type Link struct {
	Scene  Scene
	Stream Stream
	// Base stands before the path: "https://host:8080".
	Base string
	// Host is the name whose rule signs, where it is not that in Base.
	Host string
	// Ext ends the path: ".flv", or nothing.
	Ext string
}

// Path is the path of the URL.
func (l Link) Path() string { return l.Stream.Path() + l.Ext }

// RuleHost is the name whose rule signs, in lower case.
func (l Link) RuleHost() string {
	if l.Host != "" {
		return HostOf(l.Host)
	}
	return URLHost(l.Base)
}
