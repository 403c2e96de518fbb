package it;

import java.util.Collections;
import java.util.Map;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.core.MethodParameter;
import org.springframework.http.MediaType;
import org.springframework.http.converter.HttpMessageConverter;
import org.springframework.http.server.ServerHttpRequest;
import org.springframework.http.server.ServerHttpResponse;
import org.springframework.web.bind.annotation.ControllerAdvice;
import org.springframework.web.client.RestTemplate;
import org.springframework.web.servlet.mvc.method.annotation.ResponseBodyAdvice;

/** Asks the next service while the response of an asynchronous request is written: the request's second pass. */
@ControllerAdvice
public class SecondPass implements ResponseBodyAdvice<Object> {
    @Autowired
    RestTemplate rest;

    @Override
    public boolean supports(MethodParameter type, Class<? extends HttpMessageConverter<?>> converter) {
        return true;
    }

    @Override
    public Object beforeBodyWrite(
            Object body,
            MethodParameter type,
            MediaType media,
            Class<? extends HttpMessageConverter<?>> converter,
            ServerHttpRequest request,
            ServerHttpResponse response) {
        Object later = body instanceof Map ? ((Map<?, ?>) body).get("later") : null;
        return later == null ? body : Collections.singletonMap("second", App.Work.ask(rest, "next", (String) later));
    }
}
