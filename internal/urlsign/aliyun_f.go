package urlsign

// newAliyunF returns type F of Alibaba's CDN:
//
//	sign=md5hex(<secret><path><hex time>)&time=<hex time>
//
// It is type C in the query under fixed names, which can be changed all the
// same. The vendor refuses URLs that have a query already.
func newAliyunF(o Options) (Scheme, error) {
	s := aliyunHexTime("aliyun_f")
	s.place = place{signature: orDefault(o.SignatureParam, "sign"), time: orDefault(o.TimeParam, "time")}
	return s.finish()
}
